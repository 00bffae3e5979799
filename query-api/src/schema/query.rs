//! The queries.

use access::{Operation, Orders, Reach};
use async_graphql::connection::Connection;
use async_graphql::{Context, ErrorExtensions, ID, Object, Result};
use chrono::{DateTime, TimeDelta, Utc};
use domain::filter::within_history;
use domain::ids::OrderId;
use views::{LagMeter, Store};

use super::actions::{self, Action};
use super::approvals::{self, Approval};
use super::calls::{self, Calls};
use super::connection::connection;
use super::ends::{self, Ends};
use super::order::Order;
use super::overview::{HourCount, Overview};
use super::parked::ParkedEvent;
use super::participants::{self, ParticipantList};
use super::past_counts::{self, PastCounts};
use super::troubles::{self, TroubleList};
use super::waiting_requests::{self, WaitingRequest};
use super::webhooks::{self, Webhook};
use super::workflow::Workflow;
use super::workflows::{self, WorkflowList};
use crate::code::ErrorCode;
use crate::error::{QueryError, unknown_name};
use crate::filter::{OrderFilter, comparable};
use crate::freshness::{Freshness, ViewsBehind};
use crate::history::{AsOf, History, HistoryError};
use crate::paging::{Cut, PageArguments, cost_factor, cut};
use crate::permission::{is_readable, reach, readable};
use crate::sort::OrderSort;

/// The queries.
pub struct Query;

// A field that may be null is an `Option<Result>`: its error leaves the other fields as they are.

/// The queries.
#[Object]
impl Query {
    /// An order by its id; null: it does not exist. With `atRevision` (the index of an event in its
    /// stream; an error if that event does not exist) or `asOf` (a moment: the events that were
    /// decided by then; null: the order was not placed yet), the order is as it was then, with its
    /// steps and its timeline, and is read from the log.
    #[graphql(complexity = "as_of_cost(at_revision, as_of) + child_complexity")]
    async fn order(
        &self,
        context: &Context<'_>,
        id: ID,
        at_revision: Option<i64>,
        as_of: Option<DateTime<Utc>>,
        freshness: Option<Freshness>,
    ) -> Option<Result<Order>> {
        let found = match AsOf::of(at_revision, as_of) {
            Ok(None) => present(context, &id, freshness).await,
            Ok(Some(_)) if freshness.is_some() => Err(ErrorCode::BadUserInput.error(&FRESHNESS_OF_THE_PAST)),
            Ok(Some(as_of)) => earlier(context, &id, as_of).await,
            Err(error) => Err(ErrorCode::BadUserInput.error(&error)),
        };
        found.transpose()
    }

    /// The orders that match a filter, by default the latest first, at most 200 at a time. If no
    /// order matches, and the filter names a workflow, a version or a step that does not exist, the
    /// answer is an error with the code `NO_SUCH_WORKFLOW`, `NO_SUCH_VERSION` or `NO_SUCH_STEP`.
    #[graphql(complexity = "cost_factor(first, last) * child_complexity")]
    #[expect(clippy::too_many_arguments, reason = "they are Relay's, and GraphQL's are named")]
    async fn orders(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where")] filter: Option<OrderFilter>,
        order_by: Option<OrderSort>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        freshness: Option<Freshness>,
    ) -> Result<Connection<String, Order>> {
        let store = context.data::<Store>()?;
        let sort = order_by.unwrap_or(OrderSort::PlacedAtDesc);
        let arguments = PageArguments { first, after, last, before };
        let page = sort.page(&arguments).map_err(|error| ErrorCode::BadUserInput.error(&error))?;
        let criteria = readable(context, filter)?;
        fresh(context, freshness).await?;
        let rows = store.orders(&criteria, sort.sort(), &page).await.map_err(QueryError::from)?;
        let is_whole = page.after.is_none() && page.before.is_none();
        if rows.is_empty()
            && is_whole
            && let Some(unknown) = store.unknown(&criteria).await.map_err(QueryError::from)?
        {
            return Err(unknown_name(&unknown));
        }
        let Cut { rows, has_previous, has_next } = cut(&page, rows);
        let cut = Cut { rows: Order::list(store, rows)?, has_previous, has_next };
        Ok(connection(cut, |order| (sort.cursor(order.row()), order)))
    }

    /// A workflow's definition; without a version, the latest.
    async fn workflow(
        &self,
        context: &Context<'_>,
        name: String,
        version: Option<i32>,
        freshness: Option<Freshness>,
    ) -> Option<Result<Workflow>> {
        definition(context, &name, version, freshness).await.transpose()
    }

    /// All registered workflows with their versions, and how many orders follow each version.
    #[graphql(complexity = "100 * child_complexity")]
    async fn workflows(&self, context: &Context<'_>, freshness: Option<Freshness>) -> Result<WorkflowList> {
        fresh(context, freshness).await?;
        workflows::list(context).await
    }

    /// The steps that wait for a person, the longest waiting first, at most 200 at a time.
    #[graphql(complexity = "cost_factor(first, last) * child_complexity")]
    async fn approvals(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<String, Approval>> {
        approvals::list(context, &PageArguments { first, after, last, before }).await
    }

    /// The operations that a second person has to approve, the longest waiting first, at most 200
    /// at a time.
    #[graphql(complexity = "cost_factor(first, last) * child_complexity")]
    async fn operation_requests(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<String, WaitingRequest>> {
        waiting_requests::list(context, &PageArguments { first, after, last, before }).await
    }

    /// The orders that are stuck, overdue or late, grouped by workflow, step, participant and
    /// error. `id`: only the group with this id, which is missing when none of its orders is left.
    #[graphql(complexity = "troubles::cost_factor_of(id.as_ref()) * child_complexity")]
    async fn troubles(&self, context: &Context<'_>, id: Option<ID>) -> Result<TroubleList> {
        troubles::list(context, id.as_deref().map(String::as_str)).await
    }

    /// What people did to orders, the latest first, at most 200 at a time. `actor`: a principal, or
    /// a person whom a machine acted for. Placed orders are not in the list: `orders` has who
    /// placed them.
    #[graphql(complexity = "cost_factor(first, last) * child_complexity")]
    #[expect(clippy::too_many_arguments, reason = "they are Relay's, and GraphQL's are named")]
    async fn actions(
        &self,
        context: &Context<'_>,
        actor: Option<String>,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<String, Action>> {
        let which = actions::Which { actor, from, to };
        actions::list(context, &which, &PageArguments { first, after, last, before }).await
    }

    /// The participants that registered workflows name, and how many steps wait for each. The state
    /// of its circuit is at `GET /circuits` of the command handlers.
    #[graphql(complexity = "100 * child_complexity")]
    async fn participants(&self, context: &Context<'_>) -> Result<ParticipantList> {
        participants::list(context).await
    }

    /// The events of an order that could not be projected and are set aside, each with the reason,
    /// in the order of the log; at most 100. Other events of the order may be in the views, or
    /// none.
    #[graphql(complexity = "10 * child_complexity")]
    async fn parked_events(&self, context: &Context<'_>, order: ID) -> Result<Vec<ParkedEvent>> {
        let Ok(order) = OrderId::new(order.as_str()) else { return Ok(Vec::new()) };
        let rows = context.data::<Store>()?.parked(&order).await.map_err(QueryError::from)?;
        Ok(rows.into_iter().map(ParkedEvent::from).collect())
    }

    /// The webhooks of the shop's systems, the oldest first.
    #[graphql(complexity = "10 * child_complexity")]
    async fn webhooks(&self, context: &Context<'_>) -> Result<Vec<Webhook>> {
        webhooks::list(context.data::<Store>()?).await
    }

    /// An overview of all orders.
    async fn overview(&self, context: &Context<'_>) -> Result<Overview> {
        let store = context.data::<Store>()?;
        let counts = async {
            match reach(context, Operation::CountOrders).orders() {
                Orders::All => Ok((store.counts().await?, store.late_count(None).await?)),
                Orders::PlacedBy(own) => Ok((store.counts_of(own).await?, store.late_count(Some(own)).await?)),
                Orders::None => Ok((Vec::new(), 0)),
            }
        };
        let ((counts, late), progress) = tokio::try_join!(counts, store.progress()).map_err(QueryError::from)?;
        Ok(Overview::of(&counts, late, &progress)?)
    }

    /// How many orders were placed in each hour of a time range of at most 31 days, by their
    /// present status and state. Hours are those of UTC. An hour that is only partly in the range
    /// is counted as a whole.
    #[graphql(complexity = "100 * child_complexity")]
    async fn orders_by_hour(
        &self,
        context: &Context<'_>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<HourCount>> {
        let (from, to) = month_at_most(from, to)?;
        let store = context.data::<Store>()?;
        let rows = match reach(context, Operation::CountOrders).orders() {
            Orders::All => store.counts_by_hour(from, to).await,
            Orders::PlacedBy(own) => store.counts_by_hour_of(own, from, to).await,
            Orders::None => Ok(Vec::new()),
        };
        let rows = rows.map_err(QueryError::from)?;
        Ok(rows.into_iter().map(HourCount::try_from).collect::<std::result::Result<_, _>>()?)
    }

    /// How orders ended in a time range of at most 31 days, and how long they took: by workflow,
    /// and by hour.
    #[graphql(complexity = "100 * child_complexity")]
    async fn ends(&self, context: &Context<'_>, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Ends> {
        let (from, to) = month_at_most(from, to)?;
        ends::read(context, from, to).await
    }

    /// How many orders had each status and state at a moment of the past.
    #[graphql(complexity = "500 + child_complexity")]
    async fn counts(&self, context: &Context<'_>, as_of: DateTime<Utc>) -> Result<PastCounts> {
        past_counts::read(context, within_history(as_of)).await
    }

    /// The calls to participants that ended in a time range of at most 31 days: how many, how many
    /// failed, and how long they took.
    #[graphql(complexity = "100 * child_complexity")]
    async fn calls(&self, context: &Context<'_>, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Calls> {
        let (from, to) = month_at_most(from, to)?;
        calls::read(context, from, to).await
    }
}

/// The longest time range of figures.
const MAX_RANGE: TimeDelta = TimeDelta::days(31);
const RANGE_TOO_LONG: &str = "between `from` and `to` there may be at most 31 days";

/// A time range of figures.
fn month_at_most(from: DateTime<Utc>, to: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    let (from, to) = (within_history(from), within_history(to));
    if to - from > MAX_RANGE { Err(ErrorCode::BadUserInput.error(&RANGE_TOO_LONG)) } else { Ok((from, to)) }
}

/// The complexity of an order besides its fields: for a past state, the reading of its events.
fn as_of_cost(at_revision: Option<i64>, as_of: Option<DateTime<Utc>>) -> usize {
    if at_revision.is_some() || as_of.is_some() { 500 } else { 1 }
}

const FRESHNESS_OF_THE_PAST: &str =
    "`freshness` is about the views, and a past state of an order is read from the log: leave one of them out";

/// Checks that the views which this answer reads are as fresh as a field requires. The wait for
/// them is over.
async fn fresh(context: &Context<'_>, freshness: Option<Freshness>) -> Result<()> {
    let Some(freshness) = freshness else { return Ok(()) };
    freshness.wait().map_err(|error| ErrorCode::BadUserInput.error(&error))?;
    let wanted = freshness.position.0;
    let Err(had) = context.data::<Store>()?.at_least(wanted).await.map_err(QueryError::from)? else { return Ok(()) };
    let lag = context.data::<LagMeter>()?.for_an_error(had).await;
    Err(ViewsBehind { wanted, had: had.map(|had| had.commit), lag }.into())
}

async fn definition(
    context: &Context<'_>,
    name: &str,
    version: Option<i32>,
    freshness: Option<Freshness>,
) -> Result<Option<Workflow>> {
    fresh(context, freshness).await?;
    let row = context.data::<Store>()?.workflow(&comparable(name), version).await.map_err(QueryError::from)?;
    Ok(row.map(Workflow::from))
}

async fn present(context: &Context<'_>, id: &str, freshness: Option<Freshness>) -> Result<Option<Order>> {
    fresh(context, freshness).await?;
    let store = context.data::<Store>()?;
    let row = store.order(&comparable(id)).await.map_err(QueryError::from)?;
    let row = row.filter(|row| is_readable(context, row));
    Ok(Order::list(store, Vec::from_iter(row))?.pop())
}

async fn earlier(context: &Context<'_>, id: &str, as_of: AsOf) -> Result<Option<Order>> {
    let (store, history) = (context.data::<Store>()?, context.data::<History>()?);
    let Ok(order) = OrderId::new(id) else { return Ok(None) };
    match history.order(&order, as_of).await {
        Ok(earlier) => Ok(earlier
            .filter(|earlier| is_readable(context, &earlier.row))
            .map(|earlier| Order::earlier(store, history, earlier))
            .transpose()?),
        Err(HistoryError::Query(error)) => Err(error.into()),
        Err(HistoryError::NoSuchRevision { .. }) if reach(context, Operation::ReadOrders) != Reach::Everything => {
            Ok(None)
        }
        Err(error @ HistoryError::NoSuchRevision { last, .. }) => Err(ErrorCode::NoSuchRevision
            .error(&error)
            .extend_with(|_, extensions| extensions.set("lastRevision", last))),
    }
}
