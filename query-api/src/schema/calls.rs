//! The calls to participants in a time range.

use async_graphql::{Context, Result, SimpleObject};
use chrono::{DateTime, Utc};
use views::{CallRow, CallsOf, Store};

use super::scalars::seconds;
use crate::error::QueryError;

/// The most calls that are read. More of them would take longer than a reader waits.
const MAX_CALLS: i64 = 200_000;

/// The calls to participants that ended in a time range, on all instances.
#[derive(SimpleObject)]
pub struct Calls {
    /// By participant, step and action.
    nodes: Vec<StepCalls>,
    /// Whether more than 200,000 calls ended in the time range. The figures are those of the latest
    /// 200,000.
    truncated: bool,
}

/// The calls to a participant for a step, in any workflow, without those that undo it. A call lasts
/// from the record of the attempt to the record of its end: an answer, an acceptance, an error, or
/// no answer in time.
#[derive(SimpleObject)]
pub struct StepCalls {
    participant: String,
    step: String,
    /// The action that was asked for.
    action: String,
    /// How many calls ended.
    count: i64,
    /// How many of them ended with an error, or without an answer in time.
    failed: i64,
    /// Half of them took at most so long, in seconds.
    p50_seconds: f64,
    /// 95 of 100 took at most so long.
    p95_seconds: f64,
    /// 99 of 100 took at most so long.
    p99_seconds: f64,
}

/// Reads the figures of a time range.
pub async fn read(context: &Context<'_>, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Calls> {
    let which = CallsOf { from, to, most: MAX_CALLS };
    let rows = context.data::<Store>()?.calls(which).await.map_err(QueryError::from)?;
    let truncated = rows.iter().map(|row| row.calls).sum::<i64>() >= MAX_CALLS;
    Ok(Calls { nodes: rows.into_iter().map(StepCalls::from).collect(), truncated })
}

impl From<CallRow> for StepCalls {
    fn from(CallRow { participant, step, action, calls, failed, took_ms }: CallRow) -> Self {
        let (p50_seconds, p95_seconds) = (seconds(took_ms.first()), seconds(took_ms.get(1)));
        let p99_seconds = seconds(took_ms.get(2));
        Self { participant, step, action, count: calls, failed, p50_seconds, p95_seconds, p99_seconds }
    }
}
