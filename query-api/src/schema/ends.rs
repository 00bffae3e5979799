//! How orders ended in a time range.

use access::{Operation, Orders};
use async_graphql::{Context, Result, SimpleObject};
use chrono::{DateTime, Utc};
use views::{EndHourRow, EndRow, EndsOf, Store};

use super::enums::State;
use super::scalars::seconds;
use crate::error::QueryError;
use crate::permission::reach;

/// The most orders that are read. More of them would take longer than a reader waits.
const MAX_ORDERS: i64 = 200_000;

/// How orders ended in a time range. A shop counts the orders that it placed.
#[derive(SimpleObject)]
pub struct Ends {
    /// By the name of the workflow.
    by_workflow: Vec<WorkflowEnds>,
    /// By hour and state. Hours without an end are not in the list.
    by_hour: Vec<HourEnds>,
    /// Whether more than 200,000 orders ended in the time range. The figures are those of the
    /// latest 200,000.
    truncated: bool,
}

/// How the orders of a workflow ended, in any of its versions.
#[derive(SimpleObject)]
pub struct WorkflowEnds {
    workflow: String,
    /// How many orders ended, completed or canceled.
    count: i64,
    /// How many of them were canceled.
    canceled: i64,
    /// Half of them took at most so long, from placing to end, in seconds.
    p50_seconds: f64,
    /// 95 of 100 took at most so long.
    p95_seconds: f64,
}

/// How many orders ended in an hour in a state.
#[derive(SimpleObject)]
pub struct HourEnds {
    /// When the hour begins, in UTC.
    hour: DateTime<Utc>,
    state: State,
    count: i64,
}

/// Reads the figures of a time range.
pub async fn read(context: &Context<'_>, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Ends> {
    let reach = reach(context, Operation::CountOrders);
    let placed_by = match reach.orders() {
        Orders::All => None,
        Orders::PlacedBy(own) => Some(own),
        Orders::None => return Ok(Ends { by_workflow: Vec::new(), by_hour: Vec::new(), truncated: false }),
    };
    let (store, which) = (context.data::<Store>()?, EndsOf { from, to, placed_by, most: MAX_ORDERS });
    let is_wanted = |field| context.look_ahead().field(field).exists();
    let workflows = async {
        let is_wanted = is_wanted("byWorkflow") || is_wanted("truncated");
        if is_wanted { store.ends(&which).await } else { Ok(Vec::new()) }
    };
    let hours = async { if is_wanted("byHour") { store.ends_by_hour(&which).await } else { Ok(Vec::new()) } };
    let (workflows, hours) = tokio::try_join!(workflows, hours).map_err(QueryError::from)?;
    Ok(Ends {
        truncated: workflows.iter().map(|row| row.orders).sum::<i64>() >= MAX_ORDERS,
        by_workflow: workflows.into_iter().map(WorkflowEnds::from).collect(),
        by_hour: hours.into_iter().map(HourEnds::try_from).collect::<std::result::Result<_, _>>()?,
    })
}

impl From<EndRow> for WorkflowEnds {
    fn from(EndRow { workflow, orders, canceled, took_ms }: EndRow) -> Self {
        let (p50_seconds, p95_seconds) = (seconds(took_ms.first()), seconds(took_ms.get(1)));
        Self { workflow, count: orders, canceled, p50_seconds, p95_seconds }
    }
}

impl TryFrom<EndHourRow> for HourEnds {
    type Error = QueryError;

    fn try_from(EndHourRow { hour, state, orders }: EndHourRow) -> std::result::Result<Self, QueryError> {
        Ok(Self { hour, state: State::read(&state)?, count: orders })
    }
}
