//! The participants that workflows name, and what waits for each.

use std::collections::BTreeMap;

use access::{Operation, Orders};
use async_graphql::{Context, Result, SimpleObject};
use chrono::{DateTime, Utc};
use views::{ParticipantRow, ParticipantWorkRow, Store};

use super::enums::StepStatus;
use crate::error::QueryError;
use crate::permission::reach;

/// The most participants in the list.
const MAX_PARTICIPANTS: usize = 500;

/// The participants.
#[derive(SimpleObject)]
pub struct ParticipantList {
    /// By name.
    nodes: Vec<Participant>,
    /// Whether workflows name more than 500 participants. The list has the first 500.
    truncated: bool,
}

/// A participant, and the steps that wait for it. A shop counts the steps of the orders that it
/// placed. Steps of paused orders wait for the operator, and are not counted.
#[derive(Default, SimpleObject)]
pub struct Participant {
    name: String,
    /// The registered workflows that name it for a step, in any version. Empty: it only undoes
    /// steps, or no registered workflow names it any more.
    workflows: Vec<String>,
    /// How many steps wait for it: those of an open attempt, of a later answer, of the next
    /// attempt, and those that are being undone.
    waiting: i64,
    /// How many of these are past their deadline.
    overdue: i64,
    /// How many of its steps wait for an operator.
    stuck: i64,
    /// Since when the longest waiting step is in its present stage.
    waiting_since: Option<DateTime<Utc>>,
    /// The waiting and the stuck steps by status.
    by_status: Vec<StepCount>,
}

/// How many steps have a status.
#[derive(SimpleObject)]
pub struct StepCount {
    status: StepStatus,
    count: i64,
}

/// Reads the list.
pub async fn list(context: &Context<'_>) -> Result<ParticipantList> {
    let store = context.data::<Store>()?;
    let most = i64::try_from(MAX_PARTICIPANTS).unwrap_or(i64::MAX);
    let named = store.participants(most.saturating_add(1)).await.map_err(QueryError::from)?;
    let work = match reach(context, Operation::CountOrders).orders() {
        Orders::All => store.participants_work(None).await,
        Orders::PlacedBy(own) => store.participants_work(Some(own)).await,
        Orders::None => Ok(Vec::new()),
    };
    let mut nodes = combined(named, work.map_err(QueryError::from)?)?;
    let truncated = nodes.len() > MAX_PARTICIPANTS;
    nodes.truncate(MAX_PARTICIPANTS);
    Ok(ParticipantList { nodes, truncated })
}

fn combined(named: Vec<ParticipantRow>, work: Vec<ParticipantWorkRow>) -> Result<Vec<Participant>, QueryError> {
    let mut known: BTreeMap<String, Participant> = BTreeMap::new();
    for ParticipantRow { name, workflows } in named {
        known.insert(name.clone(), Participant { name, workflows, ..Participant::default() });
    }
    for ParticipantWorkRow { participant, status, steps, since, overdue } in work {
        let entry = known.entry(participant.clone());
        let of = entry.or_insert_with(|| Participant { name: participant, ..Participant::default() });
        let status = StepStatus::read(&status)?;
        of.by_status.push(StepCount { status, count: steps });
        if status == StepStatus::Stuck {
            of.stuck += steps;
            continue;
        }
        of.waiting += steps;
        of.overdue += overdue;
        of.waiting_since = of.waiting_since.into_iter().chain(since).min();
    }
    let mut participants: Vec<Participant> = known.into_values().collect();
    for participant in &mut participants {
        participant.by_status.sort_by_key(|known| known.status.as_str());
    }
    Ok(participants)
}
