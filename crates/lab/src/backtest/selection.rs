//! Which orders are tried: the filter of operators' commands, over orders as the log has them.

use chrono::{DateTime, Utc};
use command_line::filter::{Bound, Condition, Conditions, Time, filter};
use domain::filter::{OrderFilter, OrderSummary};
use domain::order::{Order, OrderPlaced};

/// A filter, and the part of it that depends only on how an order was placed.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    whole: OrderFilter,
    of_placing: OrderFilter,
}

impl Selection {
    /// Combines the options. A condition that is given twice and can hold only once is an error.
    pub fn of(
        since: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
        filters: &[Conditions],
    ) -> Result<Self, String> {
        let mut conditions: Vec<Condition> = filters.iter().flat_map(|filter| filter.0.clone()).collect();
        conditions.extend(since.map(|since| Condition::Time(Time::PlacedAt, Bound::Lower, since)));
        conditions.extend(until.map(|until| Condition::Time(Time::PlacedAt, Bound::Upper, until)));
        Ok(filter(&conditions)?.into())
    }

    /// Whether an order may match, judged by its first event.
    pub fn takes_placed(&self, placed: &OrderPlaced) -> bool {
        self.of_placing.selects(&OrderSummary::of_placing(placed))
    }

    /// Whether the first event of an order decides.
    pub fn is_of_placing(&self) -> bool {
        self.whole == self.of_placing
    }

    /// Whether an order matches.
    pub fn takes(&self, order: &Order) -> bool {
        self.whole.selects(&OrderSummary::of(order))
    }
}

impl From<OrderFilter> for Selection {
    /// Ages in the filter count from now.
    fn from(filter: OrderFilter) -> Self {
        let whole = filter.at(Utc::now());
        Self { of_placing: whole.of_placing(), whole }
    }
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
        assert!(error.contains("placedAt is given twice"), "{error}");
    }

    #[test]
    fn what_placing_tells_needs_no_fold() {
        assert!(selection("customer=VINET,workflow=w,placedAt<2026-01-31").is_of_placing());
        assert!(!selection("customer=VINET,state=PAUSED").is_of_placing());
    }
}
