//! The only SQL of a filter: conditions on `orders`. They select what [`OrderFilter::selects`] does, which a test compares.

use domain::filter::{AmountRange, AttributeFilter, OrderFilter, StepFilter, TimeRange, WorkflowFilter};
use domain::order::{State, StepStatus};
use serde_json::json;
use sqlx::{Postgres, QueryBuilder};

/// What the conditions are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To look at one row after the other.
    Check,
    /// To find rows through the indexes of what is given.
    Find,
}

type Query = QueryBuilder<Postgres>;

/// Adds the conditions to a statement whose `WHERE` has begun.
pub(crate) fn push_filter(query: &mut Query, filter: &OrderFilter, purpose: Purpose) {
    let states = filter.states.as_ref().map(|states| states.iter().map(|state| state.as_str().to_owned()).collect());
    push_list(query, "status", filter.statuses.clone());
    push_list(query, "state", states);
    push_list(query, "customer_id", filter.customers.clone());
    if purpose == Purpose::Find && filter.statuses.is_some() && filter.states.is_none() {
        // The index has the state first.
        query.push(" AND state = ANY(").push_bind(all_states()).push(")");
    }
    if let Some(WorkflowFilter { name, version }) = &filter.workflow {
        query.push(" AND workflow = ").push_bind(name.clone());
        if let Some(version) = version {
            query.push(" AND workflow_version = ").push_bind(*version);
        }
    }
    if let Some(skus) = &filter.skus {
        query.push(" AND jsonb_path_query_array(lines, '$[*].sku') ?| ").push_bind(skus.clone());
    }
    let AmountRange { at_least, at_most } = filter.total;
    push_bound(query, "total >=", at_least);
    push_bound(query, "total <=", at_most);
    let times = [
        ("placed_at >=", "placed_at <", filter.placed_at),
        ("updated_at >=", "updated_at <", filter.updated_at),
        ("ended_at >=", "ended_at <", filter.ended_at),
    ];
    for (not_before, before, TimeRange { from, to }) in times {
        push_bound(query, not_before, from);
        push_bound(query, before, to);
    }
    if let Some(step) = &filter.step {
        push_step(query, step, purpose);
    }
    if let Some(text) = &filter.stuck_reason {
        query.push(" AND stuck_reason IS NOT NULL AND strpos(lower(stuck_reason), lower(");
        query.push_bind(text.clone()).push(")) > 0");
    }
    for attribute in &filter.attributes {
        push_attribute(query, attribute);
    }
}

fn push_list(query: &mut Query, column: &str, wanted: Option<Vec<String>>) {
    if let Some(wanted) = wanted {
        query.push(format_args!(" AND {column} = ANY(")).push_bind(wanted).push(")");
    }
}

fn push_bound<T>(query: &mut Query, condition: &str, bound: Option<T>)
where
    T: for<'q> sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres>,
{
    if let Some(bound) = bound {
        query.push(format_args!(" AND {condition} ")).push_bind(bound);
    }
}

fn push_attribute(query: &mut Query, AttributeFilter { path, value }: &AttributeFilter) {
    let Some(first) = path.first() else { return };
    if let Some(value) = value {
        let within = path.iter().rev().fold(value.clone(), |value, key| json!({ key: value }));
        query.push(" AND attributes @> ").push_bind(within);
        return;
    }
    query.push(" AND attributes ? ").push_bind(first.clone());
    query.push(" AND (attributes #> ").push_bind(path.clone()).push(") IS NOT NULL");
    // Postgres takes a number for the place in a list.
    for (depth, _) in path.iter().enumerate().skip(1).filter(|(_, key)| key.trim().parse::<i64>().is_ok()) {
        query.push(" AND jsonb_typeof(attributes #> ").push_bind(path[..depth].to_vec()).push(") = 'object'");
    }
}

fn push_step(query: &mut Query, StepFilter { name, statuses }: &StepFilter, purpose: Purpose) {
    match purpose {
        Purpose::Check => query.push(" AND EXISTS (SELECT FROM steps WHERE steps.order_id = orders.id"),
        Purpose::Find => query.push(" AND id IN (SELECT steps.order_id FROM steps WHERE true"),
    };
    let words = |statuses: &[StepStatus]| statuses.iter().map(|status| status.as_str()).collect::<Vec<_>>();
    match statuses {
        Some(statuses) => {
            query.push(" AND steps.status = ANY(").push_bind(words(statuses)).push(")");
        }
        // The index has the status first.
        None if purpose == Purpose::Find => {
            query.push(" AND steps.status = ANY(").push_bind(words(&StepStatus::BEGUN)).push(")");
        }
        None => {}
    }
    if let Some(name) = name {
        query.push(" AND steps.step = ").push_bind(name.clone());
    }
    // Without that, Postgres might look for all such steps first, to see whether one row is among their orders'.
    query.push(if purpose == Purpose::Check { " OFFSET 0)" } else { ")" });
}

/// Every state, as the views spell it.
pub(crate) fn all_states() -> Vec<&'static str> {
    State::ALL.map(State::as_str).to_vec()
}
