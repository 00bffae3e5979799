//! Which orders: the filter of operators' commands, over orders as the log has them.

use chrono::{DateTime, Utc};
use domain::order::{OrderPlaced, OrderState};
use serde_json::Value;

use command_line::filter::{Condition, Conditions, STEP_STATUS, as_json};

const PLACED_AT: &str = "placedAt";

/// Conditions that all have to be met; of several values of one key, one.
#[derive(Debug, Clone, Default)]
pub struct Selection(Vec<Condition>);

impl Selection {
    /// What is said twice and cannot be is an error.
    pub fn of(
        since: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
        filters: &[Conditions],
    ) -> Result<Self, String> {
        let mut conditions: Vec<Condition> = filters.iter().flat_map(|filter| filter.0.clone()).collect();
        conditions.extend(since.map(|since| Condition::Bound(PLACED_AT, "from", since)));
        conditions.extend(until.map(|until| Condition::Bound(PLACED_AT, "to", until)));
        as_json(&conditions)?;
        Ok(Self(conditions))
    }

    /// Whether an order may match, as far as its placing tells.
    pub fn takes_placed(&self, placed: &OrderPlaced) -> bool {
        let of_placing = |condition: &&Condition| is_of_placing(condition);
        all_met(&self.0.iter().filter(of_placing), |condition| match condition {
            Condition::Value("sku", sku) => placed.lines.iter().any(|line| line.sku == *sku),
            Condition::Value(_, customer) => placed.customer_id == *customer,
            Condition::Amount("atLeast", amount) => placed.total >= *amount,
            Condition::Amount(_, amount) => placed.total <= *amount,
            Condition::Attribute(path, value) => is_there(placed, path, value.as_ref()),
            Condition::Workflow(name, version) => {
                let same_version = |version: &i32| i64::from(*version) == i64::from(placed.workflow.version);
                placed.workflow.name == *name && version.as_ref().is_none_or(same_version)
            }
            Condition::Bound(_, bound, at) => within(Some(placed.at), bound, *at),
            Condition::Step(_) | Condition::StuckReason(_) => true,
        })
    }

    /// Whether placing tells all.
    pub fn is_of_placing(&self) -> bool {
        self.0.iter().all(is_of_placing)
    }

    /// Whether an order that may match does.
    pub fn takes(&self, order: &OrderState) -> bool {
        let of_state = |condition: &&Condition| !is_of_placing(condition) && !is_of_step(condition);
        self.takes_step(order)
            && all_met(&self.0.iter().filter(of_state), |condition| match condition {
                Condition::Value("status", status) => order.status == *status,
                Condition::Value(_, state) => order.state().as_str() == state,
                Condition::Bound("updatedAt", bound, at) => within(Some(order.updated_at), bound, *at),
                Condition::Bound(_, bound, at) => within(order.ended_at, bound, *at),
                Condition::StuckReason(text) => {
                    order.stuck_reason().is_some_and(|reason| reason.to_lowercase().contains(&text.to_lowercase()))
                }
                Condition::Workflow(..) | Condition::Amount(..) | Condition::Attribute(..) | Condition::Step(_) => true,
            })
    }

    /// Name and status are those of one step.
    fn takes_step(&self, order: &OrderState) -> bool {
        let named = self.0.iter().find_map(|condition| match condition {
            Condition::Step(name) => Some(name),
            _ => None,
        });
        let statuses = || {
            self.0.iter().filter_map(|condition| match condition {
                Condition::Value(STEP_STATUS, status) => Some(status.as_str()),
                _ => None,
            })
        };
        let any_status = statuses().next().is_none();
        (named.is_none() && any_status)
            || order.steps.iter().any(|(id, step)| {
                let status = step.status().as_str();
                named.is_none_or(|name| name == id) && (any_status || statuses().any(|wanted| wanted == status))
            })
    }
}

/// Whether an attribute is there, and is this or has it among other things in it, as Postgres sees that.
fn is_there(placed: &OrderPlaced, path: &[String], value: Option<&Value>) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    let found = rest.iter().try_fold(placed.attributes.get(first), |found, key| Some(found?.get(key)));
    found.flatten().is_some_and(|found| value.is_none_or(|value| holds(found, value)))
}

fn holds(have: &Value, wanted: &Value) -> bool {
    match (have, wanted) {
        (Value::Object(have), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| have.get(key).is_some_and(|have| holds(have, wanted)))
        }
        (Value::Array(have), Value::Array(wanted)) => {
            wanted.iter().all(|wanted| have.iter().any(|have| holds(have, wanted)))
        }
        (Value::Number(have), Value::Number(wanted)) => have == wanted || have.as_f64() == wanted.as_f64(),
        (have, wanted) => have == wanted,
    }
}

fn is_of_placing(condition: &Condition) -> bool {
    match condition {
        Condition::Value(key, _) => ["customer", "sku"].contains(key),
        Condition::Workflow(..) | Condition::Amount(..) | Condition::Attribute(..) => true,
        Condition::Bound(key, ..) => *key == PLACED_AT,
        Condition::Step(_) | Condition::StuckReason(_) => false,
    }
}

/// Whether it is one of those that have to be met by the same step.
fn is_of_step(condition: &Condition) -> bool {
    matches!(condition, Condition::Value(STEP_STATUS, _) | Condition::Step(_))
}

/// Whether, for each key, one of the conditions is met; both bounds of a span of time.
fn all_met<'a>(
    conditions: &(impl Iterator<Item = &'a Condition> + Clone),
    is_met: impl Fn(&Condition) -> bool,
) -> bool {
    let mut all = conditions.clone();
    all.all(|condition| conditions.clone().any(|other| key(other) == key(condition) && is_met(other)))
}

fn key(condition: &Condition) -> (&str, &str, &[String]) {
    match condition {
        Condition::Value(key, _) => (key, "", &[]),
        Condition::Workflow(..) => ("workflow", "", &[]),
        Condition::Bound(key, bound, _) => (key, bound, &[]),
        Condition::Amount(bound, _) => ("total", bound, &[]),
        Condition::Step(_) => ("step", "", &[]),
        Condition::StuckReason(_) => ("stuckReason", "", &[]),
        Condition::Attribute(path, _) => ("attributes", "", path),
    }
}

fn within(moment: Option<DateTime<Utc>>, bound: &str, at: DateTime<Utc>) -> bool {
    moment.is_some_and(|moment| if bound == "from" { moment >= at } else { moment < at })
}

#[cfg(test)]
mod tests {
    use domain::order::{NewOrder, Operation};
    use domain::testing::{Story, order};
    use domain::workflow::Workflow;

    use super::*;
    use command_line::filter::conditions;

    fn selection(text: &str) -> Selection {
        Selection::of(None, None, &[conditions(text).unwrap()]).unwrap()
    }

    /// Placed by VINET at the beginning of 1970, and paused.
    fn takes(text: &str) -> bool {
        let source = "workflow: w\nversion: 3\nparticipants: { p: { url: 'http://p' } }\nsteps: { a: { call: p.a } }";
        let workflow = Workflow::parse(source).unwrap();
        let mut story = Story::given(&workflow);
        let attributes = serde_json::json!({ "gift": true, "delivery": { "floor": 3 } });
        story.place(NewOrder { attributes: attributes.as_object().unwrap().clone(), ..order() }).whatever();
        story.operate(Operation::Pause).whatever();
        let selection = selection(text);
        selection.takes_placed(&story.state().placed) && selection.takes(story.state())
    }

    #[test]
    fn an_order_matches_as_the_log_has_it() {
        for (text, matches) in [
            ("state=PAUSED", true),
            ("state=RUNNING", false),
            ("state=RUNNING,state=PAUSED,customer=VINET", true),
            ("state=PAUSED,customer=TOMSP", false),
            ("customer=TOMSP,customer=VINET,status=Placed", true),
            ("workflow=w", true),
            ("workflow=w@3", true),
            ("workflow=w@1", false),
            ("workflow=v", false),
            ("placedAt>=1970-01-01,placedAt<1970-01-02", true),
            ("placedAt>=1970-01-01,placedAt<1970-01-01", false),
            ("updatedAt>=1970-01-02", false),
            ("endedAt<2100-01-01", false),
            ("sku=no-such,sku=11", true),
            ("sku=no-such", false),
            ("total>=14,total<=14.0", true),
            ("total>=14.01", false),
            ("step=a", true),
            ("step=a,stepStatus=RUNNING,stepStatus=WAITING", true),
            ("step=a,stepStatus=STUCK", false),
            ("step=b", false),
            ("stuckReason=a", false),
            ("attributes.gift=*,attributes.delivery.floor=3.0", true),
            ("attributes.gift=true", true),
            ("attributes.gift=\"true\"", false),
            ("attributes.delivery.note=*", false),
        ] {
            assert_eq!(takes(text), matches, "{text}");
        }
    }

    #[test]
    fn spans_of_time_can_be_said_in_two_ways_but_not_at_once() {
        let since = command_line::moment::parse("2026-01-31");
        assert!(Selection::of(since, since, &[]).is_ok());
        let error = Selection::of(since, None, &[conditions("placedAt>=2026-01-31").unwrap()]).unwrap_err();
        assert!(error.contains("placedAt is said twice"), "{error}");
    }

    #[test]
    fn what_placing_tells_needs_no_fold() {
        assert!(selection("customer=VINET,workflow=w,placedAt<2026-01-31").is_of_placing());
        assert!(!selection("customer=VINET,state=PAUSED").is_of_placing());
    }
}
