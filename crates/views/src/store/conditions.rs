//! A filter, as conditions on `orders`.

use sqlx::{Postgres, QueryBuilder};

use crate::filter::{AttributeCriteria, Criteria, StepCriteria, TimeRange};

use domain::order::{Lifecycle, StepStatus};

/// What the conditions are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To look at one row after the other.
    Check,
    /// To find rows through the indexes of what is said.
    Find,
}

pub(super) fn push_criteria(query: &mut QueryBuilder<Postgres>, criteria: &Criteria, purpose: Purpose) {
    let lists = [("status", &criteria.statuses), ("state", &criteria.states), ("customer_id", &criteria.customers)];
    for (column, wanted) in lists {
        if let Some(wanted) = wanted {
            query.push(format_args!(" AND {column} = ANY(")).push_bind(wanted).push(")");
        }
    }
    if purpose == Purpose::Find && criteria.statuses.is_some() && criteria.states.is_none() {
        // The index has the state first.
        query.push(" AND state = ANY(").push_bind(states()).push(")");
    }
    if let Some((name, version)) = &criteria.workflow {
        query.push(" AND workflow = ").push_bind(name.as_str());
        if let Some(version) = version {
            query.push(" AND workflow_version = ").push_bind(*version);
        }
    }
    if let Some(skus) = &criteria.skus {
        query.push(" AND jsonb_path_query_array(lines, '$[*].sku') ?| ").push_bind(skus);
    }
    let (at_least, at_most) = criteria.total;
    for (bound, amount) in [(">=", at_least), ("<=", at_most)] {
        if let Some(amount) = amount {
            query.push(format_args!(" AND total {bound} ")).push_bind(amount);
        }
    }
    push_times(query, criteria);
    if let Some(step) = &criteria.step {
        push_step(query, step, purpose);
    }
    if let Some(text) = &criteria.stuck_reason {
        query.push(" AND stuck_reason IS NOT NULL AND strpos(lower(stuck_reason), lower(");
        query.push_bind(text.as_str()).push(")) > 0");
    }
    for attribute in &criteria.attributes {
        match attribute {
            AttributeCriteria::Holds(value) => query.push(" AND attributes @> ").push_bind(value),
            AttributeCriteria::There(first, path) => {
                query.push(" AND attributes ? ").push_bind(first.as_str());
                query.push(" AND (attributes #> ").push_bind(path).push(") IS NOT NULL")
            }
        };
    }
}

fn push_times(query: &mut QueryBuilder<Postgres>, criteria: &Criteria) {
    let ranges =
        [("placed_at", criteria.placed_at), ("updated_at", criteria.updated_at), ("ended_at", criteria.ended_at)];
    for (column, TimeRange { from, to }) in ranges {
        if let Some(from) = from {
            query.push(format_args!(" AND {column} >= ")).push_bind(from);
        }
        if let Some(to) = to {
            query.push(format_args!(" AND {column} < ")).push_bind(to);
        }
    }
}

fn push_step(query: &mut QueryBuilder<Postgres>, StepCriteria { name, statuses }: &StepCriteria, purpose: Purpose) {
    match purpose {
        Purpose::Check => query.push(" AND EXISTS (SELECT FROM steps WHERE steps.order_id = orders.id"),
        Purpose::Find => query.push(" AND id IN (SELECT steps.order_id FROM steps WHERE true"),
    };
    match statuses {
        Some(statuses) => {
            query.push(" AND steps.status = ANY(").push_bind(statuses).push(")");
        }
        // The index has the status first.
        None if purpose == Purpose::Find => {
            query.push(" AND steps.status = ANY(").push_bind(StepStatus::BEGUN.map(StepStatus::as_str).to_vec());
            query.push(")");
        }
        None => {}
    }
    if let Some(name) = name {
        query.push(" AND steps.step = ").push_bind(name.as_str());
    }
    // Without that, Postgres might look for all such steps first, to see whether one row is among their orders'.
    query.push(if purpose == Purpose::Check { " OFFSET 0)" } else { ")" });
}

/// Every state, as the views spell it.
pub(super) fn states() -> Vec<&'static str> {
    Lifecycle::ALL.map(Lifecycle::as_str).to_vec()
}
