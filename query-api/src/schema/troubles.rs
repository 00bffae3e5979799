//! The orders that are stuck, overdue or late, grouped by what they have in common.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use access::{Operation, Orders};
use async_graphql::{Context, ID, Object, Result, SimpleObject};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use domain::error_class::ErrorClass;
use domain::filter::{OrderFilter, StepFilter, TimeRange, WorkflowFilter};
use domain::order;
use serde_json::Value;
use sha2::{Digest, Sha256};
use views::{NoteRow, Store, TroubleRow, ViewsError};

use super::enums::{OperationKind, StepStatus, TroubleKind};
use super::operations::OrderOperation;
use super::order::Order;
use crate::code::ErrorCode;
use crate::error::QueryError;
use crate::paging::{PageArguments, cost_factor};
use crate::permission::{is_readable, reach};

/// The most orders of each kind that are looked at.
const MAX_ORDERS: usize = 10_000;
/// The most groups in the list.
const MAX_GROUPS: usize = 100;
/// The most orders that a group names.
const MAX_SAMPLES: usize = 5;
/// The most notes of a group.
const MAX_NOTES: i64 = 10;

/// The groups of stuck, overdue and late orders.
#[derive(SimpleObject)]
pub struct TroubleList {
    /// The largest first.
    nodes: Vec<Trouble>,
    /// Whether more than 10,000 orders are stuck, overdue or late, or there are more than 100
    /// groups. Then counts are too low, and groups are missing.
    truncated: bool,
}

/// What the orders of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Cause {
    kind: TroubleKind,
    workflow: String,
    version: i32,
    step: Option<String>,
    participant: Option<String>,
    status: Option<String>,
    error: Option<String>,
}

/// Orders that are stuck, overdue or late for the same cause.
#[derive(Debug)]
pub struct Trouble {
    cause: Cause,
    /// The whole error of the first order.
    example: Option<String>,
    first_seen: DateTime<Utc>,
    last_seen: DateTime<Utc>,
    orders: Vec<String>,
    now: DateTime<Utc>,
}

/// A note of an operator on orders of a group.
#[derive(SimpleObject)]
pub struct TroubleNote {
    text: String,
    /// The author.
    actor: String,
    /// When the last of the orders got it.
    recorded_at: DateTime<Utc>,
    /// How many orders of the group have it.
    count: i64,
    /// The order that got it last.
    order_id: ID,
}

impl From<NoteRow> for TroubleNote {
    fn from(NoteRow { actor, text, recorded_at, orders, order_id }: NoteRow) -> Self {
        Self { text, actor, recorded_at, count: orders, order_id: order_id.into() }
    }
}

/// The complexity of a group is multiplied by this.
pub fn cost_factor_of(id: Option<&ID>) -> usize {
    if id.is_some() { 1 } else { MAX_GROUPS }
}

/// Reads the groups, or only the one with this id.
pub async fn list(context: &Context<'_>, id: Option<&str>) -> Result<TroubleList> {
    let store = context.data::<Store>()?;
    let reach = reach(context, Operation::ReadOrders);
    let own = match reach.orders() {
        Orders::All => None,
        Orders::PlacedBy(own) => Some(own),
        Orders::None => return Ok(TroubleList { nodes: Vec::new(), truncated: false }),
    };
    let most = i64::try_from(MAX_ORDERS).unwrap_or(i64::MAX).saturating_add(1);
    let stuck = store.stuck(own, most).await.map_err(QueryError::from)?;
    let overdue = store.overdue(own, most).await.map_err(QueryError::from)?;
    let late = store.late(own, most).await.map_err(QueryError::from)?;
    let mut truncated = [&stuck, &overdue, &late].iter().any(|rows| rows.len() > MAX_ORDERS);
    let now = Utc::now();
    let mut groups: BTreeMap<Cause, Trouble> = BTreeMap::new();
    let kinds = [(TroubleKind::Stuck, stuck), (TroubleKind::Overdue, overdue), (TroubleKind::Late, late)];
    for (kind, rows) in kinds {
        for row in rows.into_iter().take(MAX_ORDERS) {
            let cause = Cause::of(kind, &row);
            groups.entry(cause.clone()).or_insert_with(|| Trouble::beginning(cause, &row, now)).add(row);
        }
    }
    let mut nodes: Vec<Trouble> = groups.into_values().collect();
    nodes.retain(|group| id.is_none_or(|id| group.cause.id() == id));
    nodes.sort_by_key(|group| (Reverse(group.orders.len()), Reverse(group.last_seen)));
    truncated |= nodes.len() > MAX_GROUPS;
    nodes.truncate(MAX_GROUPS);
    Ok(TroubleList { nodes, truncated })
}

impl Cause {
    fn of(kind: TroubleKind, row: &TroubleRow) -> Self {
        Self {
            kind,
            workflow: row.workflow.clone(),
            version: row.version,
            step: row.step.clone(),
            participant: row.participant.clone(),
            status: row.status.clone(),
            error: row.error.as_deref().map(|error| ErrorClass::of(error).as_str().to_owned()),
        }
    }

    fn id(&self) -> String {
        let Self { kind, workflow, version, step, participant, status, error } = self;
        let text = format!("{kind:?}{workflow:?}{version}{step:?}{participant:?}{status:?}{error:?}");
        URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..12])
    }
}

impl Trouble {
    fn beginning(cause: Cause, row: &TroubleRow, now: DateTime<Utc>) -> Self {
        let (example, orders) = (row.error.clone(), Vec::new());
        Self { cause, example, first_seen: row.since, last_seen: row.since, orders, now }
    }

    fn add(&mut self, row: TroubleRow) {
        self.first_seen = self.first_seen.min(row.since);
        self.last_seen = self.last_seen.max(row.since);
        self.orders.push(row.id);
    }

    fn selecting(&self) -> OrderFilter {
        let Cause { kind, workflow, version, step, participant, status, error: _ } = &self.cause;
        let status = status.as_deref().and_then(|status| StepStatus::read(status).ok()).map(StepStatus::to_domain);
        let is_stuck = *kind == TroubleKind::Stuck;
        let is_overdue = *kind == TroubleKind::Overdue;
        let step = StepFilter {
            name: step.clone(),
            statuses: status.map(|status| vec![status]),
            participants: participant.clone().map(|participant| vec![participant]),
            due: TimeRange { from: None, to: is_overdue.then_some(self.now) },
            ..StepFilter::default()
        };
        let open = [order::State::Running, order::State::Waiting, order::State::Compensating];
        let class = self.example.as_deref().filter(|_| is_stuck).map(ErrorClass::of);
        OrderFilter {
            states: Some(if is_stuck { vec![order::State::Stuck] } else { open.to_vec() }),
            workflow: Some(WorkflowFilter { name: workflow.clone(), version: Some(*version) }),
            late: (*kind == TroubleKind::Late).then_some(true),
            step: (!step.is_open()).then_some(step),
            stuck_reason: class.and_then(|class| class.common_part().map(str::to_owned)),
            ..OrderFilter::default()
        }
    }

    /// What an operator would do first, of what the rules allow.
    const REPAIRS: [OperationKind; 4] =
        [OperationKind::Retry, OperationKind::Answer, OperationKind::Skip, OperationKind::Cancel];
}

/// Orders that are stuck, overdue or late for the same cause.
#[Object]
impl Trouble {
    /// The same for the same cause, for the argument `id` of `troubles`.
    async fn id(&self) -> ID {
        self.cause.id().into()
    }

    async fn kind(&self) -> TroubleKind {
        self.cause.kind
    }

    async fn workflow(&self) -> &str {
        &self.cause.workflow
    }

    async fn version(&self) -> i32 {
        self.cause.version
    }

    /// The step at which the orders are stuck, that is due, or that they wait for.
    async fn step(&self) -> Option<ID> {
        self.cause.step.as_deref().map(ID::from)
    }

    /// The participant of that step.
    async fn participant(&self) -> Option<&str> {
        self.cause.participant.as_deref()
    }

    /// The status of that step.
    async fn step_status(&self) -> Option<Result<StepStatus>> {
        Some(StepStatus::read(self.cause.status.as_deref()?).map_err(Into::into))
    }

    /// What the errors of the orders have in common: `#` stands for a number or an id, and `…` for
    /// a quoted part. Null: no error is known.
    async fn error(&self) -> Option<&str> {
        self.cause.error.as_deref()
    }

    /// The whole error of one of the orders.
    async fn example(&self) -> Option<&str> {
        self.example.as_deref()
    }

    /// How many orders there are.
    async fn count(&self) -> usize {
        self.orders.len()
    }

    /// Since when the first of them is stuck, or was due.
    async fn first_seen(&self) -> DateTime<Utc> {
        self.first_seen
    }

    /// Since when the last of them is stuck, or was due.
    async fn last_seen(&self) -> DateTime<Utc> {
        self.last_seen
    }

    /// Some of the orders, at most five.
    async fn samples(&self) -> Vec<ID> {
        self.orders.iter().take(MAX_SAMPLES).map(ID::from).collect()
    }

    /// The ids of all orders of the group: for a batch that acts on these orders and no others.
    /// Stuck orders: the latest change first. Others: the longest due or late first.
    async fn order_ids(&self) -> Vec<ID> {
        self.orders.iter().map(ID::from).collect()
    }

    /// The first of these orders, by default 50, at most 200. It is for one group, by its `id`.
    #[graphql(complexity = "cost_factor(first, None) * child_complexity")]
    async fn orders(&self, context: &Context<'_>, first: Option<i32>) -> Result<Vec<Order>> {
        let page = PageArguments { first, after: None, last: None, before: None }.check(|_| Some(()));
        let size = page.map_err(|error| ErrorCode::BadUserInput.error(&error))?.size;
        let ids: Vec<String> = self.orders.iter().take(size.into()).cloned().collect();
        let mut found = Order::of_ids(context.data::<Store>()?, ids.clone()).await?;
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// The latest notes of operators on the orders, at most ten. The same text of one author on
    /// several orders is one note.
    #[graphql(complexity = "20 + 10 * child_complexity")]
    async fn notes(&self, context: &Context<'_>) -> Result<Vec<TroubleNote>> {
        let rows = context.data::<Store>()?.notes(&self.orders, MAX_NOTES).await.map_err(QueryError::from)?;
        Ok(rows.into_iter().map(TroubleNote::from).collect())
    }

    /// A filter for the orders of the group, for the argument `where` of `orders` and of a batch.
    /// It has the longest part of the errors that has no number, no id and no quotes. Orders with
    /// another error that has the same part match, too: look at them before you act.
    #[expect(clippy::unused_async, reason = "the macro awaits it")]
    async fn filter(&self) -> Result<Value> {
        Ok(serde_json::to_value(self.selecting()).map_err(|_| QueryError::from(ViewsError::Internal))?)
    }

    /// What an operator can do: the first of retry, answer, skip and cancel that the rules of the
    /// command endpoint allow on the first sample, as the log has it, and on the caller's rights.
    /// Correct the cause first. Null: nothing is allowed, or the order has changed meanwhile.
    #[graphql(complexity = "300 + child_complexity")]
    async fn repair(&self, context: &Context<'_>) -> Option<Result<OrderOperation>> {
        let found = async {
            let Some(id) = self.orders.first() else { return Ok(None) };
            let store = context.data::<Store>()?;
            let row = store.order(id).await.map_err(QueryError::from)?.filter(|row| is_readable(context, row));
            let Some(order) = Order::list(store, Vec::from_iter(row))?.pop() else { return Ok(None) };
            let operations = order.allowed(context, None).await?.unwrap_or_default();
            let rank = |operation: &OrderOperation| {
                let kind = Self::REPAIRS.iter().position(|repair| *repair == operation.operation)?;
                Some((kind, operation.step.as_deref() != self.cause.step.as_ref()))
            };
            let allowed = operations.into_iter().filter(|operation| operation.allowed);
            let ranked = allowed.filter_map(|operation| Some((rank(&operation)?, operation)));
            Ok(ranked.min_by_key(|(rank, _)| *rank).map(|(_, operation)| operation))
        };
        found.await.transpose()
    }
}
