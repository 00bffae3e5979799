//! The registered workflows, and how many orders follow each version.

use std::collections::HashMap;

use access::{Operation, Orders};
use async_graphql::{Context, Result, SimpleObject};
use chrono::{DateTime, Utc};
use views::{RegisteredRow, Store, WorkflowCountRow, WorkflowKey};

use super::enums::State;
use super::overview::StateCount;
use crate::error::QueryError;
use crate::permission::reach;

/// The most versions in the list.
const MAX_VERSIONS: usize = 500;

/// The registered workflows.
#[derive(SimpleObject)]
pub struct WorkflowList {
    /// By name.
    nodes: Vec<RegisteredWorkflow>,
    /// Whether more than 500 versions are registered. The list has the first 500: workflows by
    /// name, and of each the latest versions.
    truncated: bool,
}

/// A workflow with its versions.
#[derive(SimpleObject)]
pub struct RegisteredWorkflow {
    name: String,
    /// The latest first. Orders without a version in their request follow the first.
    versions: Vec<WorkflowVersion>,
}

/// A version of a workflow. `workflow` of the query has its definition.
#[derive(SimpleObject)]
pub struct WorkflowVersion {
    version: i32,
    registered_at: DateTime<Utc>,
    /// How many orders follow it. Null: the caller may not count orders.
    orders: Option<VersionCounts>,
}

/// How many orders follow a version of a workflow. A shop counts the orders that it placed.
#[derive(SimpleObject)]
pub struct VersionCounts {
    /// Those that have not ended.
    open: i64,
    /// Those that have ended: completed, or canceled.
    ended: i64,
    /// By state, without the states of no order.
    by_state: Vec<StateCount>,
}

/// Reads the list. An error of the counts is an error of the list: a missing count looks like zero.
pub async fn list(context: &Context<'_>) -> Result<WorkflowList> {
    let store = context.data::<Store>()?;
    let most = i64::try_from(MAX_VERSIONS).unwrap_or(i64::MAX);
    let mut rows = store.registered(most.saturating_add(1)).await.map_err(QueryError::from)?;
    let truncated = rows.len() > MAX_VERSIONS;
    rows.truncate(MAX_VERSIONS);
    let counts = match reach(context, Operation::CountOrders).orders() {
        Orders::All => Some(store.counts_by_workflow().await),
        Orders::PlacedBy(own) => Some(store.counts_by_workflow_of(own).await),
        Orders::None => None,
    };
    let counts = counts.transpose().map_err(QueryError::from)?;
    Ok(WorkflowList { nodes: grouped(rows, counts.map(by_version).transpose()?.as_mut()), truncated })
}

type Counts = HashMap<WorkflowKey, Vec<StateCount>>;

fn by_version(rows: Vec<WorkflowCountRow>) -> Result<Counts, QueryError> {
    let mut counts = Counts::new();
    for WorkflowCountRow { workflow, version, state, orders } in rows {
        let count = StateCount { state: State::read(&state)?, count: orders };
        counts.entry((workflow, version)).or_default().push(count);
    }
    Ok(counts)
}

/// The rows are sorted by name.
fn grouped(rows: Vec<RegisteredRow>, mut counts: Option<&mut Counts>) -> Vec<RegisteredWorkflow> {
    let mut workflows: Vec<RegisteredWorkflow> = Vec::new();
    for RegisteredRow { name, version, registered_at } in rows {
        let orders = counts
            .as_mut()
            .map(|counts| VersionCounts::of(counts.remove(&(name.clone(), version)).unwrap_or_default()));
        let version = WorkflowVersion { version, registered_at, orders };
        match workflows.last_mut().filter(|last| last.name == name) {
            Some(last) => last.versions.push(version),
            None => workflows.push(RegisteredWorkflow { name, versions: vec![version] }),
        }
    }
    workflows
}

impl VersionCounts {
    fn of(mut by_state: Vec<StateCount>) -> Self {
        by_state.sort_by_key(|known| known.state.as_str());
        let sum = |is_counted: &dyn Fn(State) -> bool| {
            by_state.iter().filter(|known| is_counted(known.state)).map(|known| known.count).sum()
        };
        Self { open: sum(&|state| !state.has_ended()), ended: sum(&State::has_ended), by_state }
    }
}
