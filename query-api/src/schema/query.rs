//! What can be asked.

use async_graphql::connection::Connection;
use async_graphql::{Context, ErrorExtensions, ID, Object, Result};
use chrono::{DateTime, TimeDelta, Utc};
use domain::filter::within_history;
use domain::ids::OrderId;
use views::{LagMeter, Store};

use super::connection;
use super::order::Order;
use super::overview::{HourCount, Overview};
use super::parked::ParkedEvent;
use super::workflow::Workflow;
use crate::error::{StoreError, coded, unknown_name};
use crate::filter::{OrderFilter, comparable};
use crate::freshness::{Freshness, ViewsBehind};
use crate::history::{AsOf, History, HistoryError};
use crate::paging::{Cut, PageArguments, cost_factor, cut};
use crate::sort::OrderSort;

/// What can be asked.
pub struct Query;

// A field that may be null is an `Option<Result>`: its error leaves the others what they are.

/// What can be asked.
#[Object]
impl Query {
    /// An order by its id; null where there is none. With `atRevision` (the index of an event in its stream; one that there is not
    /// is an error) or `asOf` (a moment: what had been decided by then; null: it was not placed yet) it is as it was, read from
    /// the log itself, together with its steps and its timeline.
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
            Ok(Some(_)) if freshness.is_some() => Err(coded(&FRESHNESS_OF_THE_PAST, "BAD_USER_INPUT")),
            Ok(Some(as_of)) => earlier(context, &id, as_of).await,
            Err(error) => Err(coded(&error, "BAD_USER_INPUT")),
        };
        found.transpose()
    }

    /// The orders that meet a filter, the latest first unless said otherwise, at most 200 at a time. A filter that no order meets, and
    /// that names a workflow, a version or a step which does not exist, is an error with the code `NO_SUCH_WORKFLOW`,
    /// `NO_SUCH_VERSION` or `NO_SUCH_STEP`.
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
        let page = sort.page(&arguments).map_err(|error| coded(&error, "BAD_USER_INPUT"))?;
        let criteria = filter.unwrap_or_default().checked().map_err(|error| coded(&error, "BAD_USER_INPUT"))?;
        fresh(context, freshness).await?;
        let rows = store.orders(&criteria, sort.sort(), &page).await.map_err(StoreError::from)?;
        let is_whole = page.after.is_none() && page.before.is_none();
        if rows.is_empty()
            && is_whole
            && let Some(unknown) = store.unknown(&criteria).await.map_err(StoreError::from)?
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

    /// The events of an order that could not be projected and are set aside, each with the reason, in the order of the log; at most
    /// 100. The order may have others, or not be in the views at all.
    #[graphql(complexity = "10 * child_complexity")]
    async fn parked_events(&self, context: &Context<'_>, order: ID) -> Result<Vec<ParkedEvent>> {
        let Ok(order) = OrderId::new(order.as_str()) else { return Ok(Vec::new()) };
        let rows = context.data::<Store>()?.parked(&order).await.map_err(StoreError::from)?;
        Ok(rows.into_iter().map(ParkedEvent::from).collect())
    }

    /// Everything at a glance.
    async fn overview(&self, context: &Context<'_>) -> Result<Overview> {
        let store = context.data::<Store>()?;
        let (counts, progress) = tokio::try_join!(store.counts(), store.progress()).map_err(StoreError::from)?;
        Ok(Overview::of(&counts, &progress)?)
    }

    /// How many orders were placed in each hour of a span of time, by status and state as they are now; at most 31 days. Hours
    /// are those of UTC; one that is in the span only in part is counted as a whole.
    #[graphql(complexity = "100 * child_complexity")]
    async fn orders_by_hour(
        &self,
        context: &Context<'_>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<HourCount>> {
        let (from, to) = (within_history(from), within_history(to));
        if to - from > MAX_BY_HOUR {
            return Err(coded(&TOO_LONG_BY_HOUR, "BAD_USER_INPUT"));
        }
        let rows = context.data::<Store>()?.counts_by_hour(from, to).await.map_err(StoreError::from)?;
        Ok(rows.into_iter().map(HourCount::try_from).collect::<std::result::Result<_, _>>()?)
    }
}

/// The longest span of time that is counted by the hour.
const MAX_BY_HOUR: TimeDelta = TimeDelta::days(31);
const TOO_LONG_BY_HOUR: &str = "between `from` and `to` there may be at most 31 days";

/// What an order costs besides its fields: as it was, the reading of its events.
fn as_of_cost(at_revision: Option<i64>, as_of: Option<DateTime<Utc>>) -> usize {
    if at_revision.is_some() || as_of.is_some() { 500 } else { 1 }
}

const FRESHNESS_OF_THE_PAST: &str =
    "`freshness` is of the views, and an order as it was is read from the log: leave one of them out";

/// Makes sure that the views which this answer reads are as fresh as a field asks for. They were waited for before.
async fn fresh(context: &Context<'_>, freshness: Option<Freshness>) -> Result<()> {
    let Some(freshness) = freshness else { return Ok(()) };
    freshness.wait().map_err(|error| coded(&error, "BAD_USER_INPUT"))?;
    let wanted = freshness.position.0;
    let Err(had) = context.data::<Store>()?.at_least(wanted).await.map_err(StoreError::from)? else { return Ok(()) };
    let lag = context.data::<LagMeter>()?.beside_an_error(had).await;
    Err(ViewsBehind { wanted, had: had.map(|had| had.commit), lag }.into())
}

async fn definition(
    context: &Context<'_>,
    name: &str,
    version: Option<i32>,
    freshness: Option<Freshness>,
) -> Result<Option<Workflow>> {
    fresh(context, freshness).await?;
    let row = context.data::<Store>()?.workflow(&comparable(name), version).await.map_err(StoreError::from)?;
    Ok(row.map(Workflow::from))
}

async fn present(context: &Context<'_>, id: &str, freshness: Option<Freshness>) -> Result<Option<Order>> {
    fresh(context, freshness).await?;
    let store = context.data::<Store>()?;
    let row = store.order(&comparable(id)).await.map_err(StoreError::from)?;
    Ok(Order::list(store, Vec::from_iter(row))?.pop())
}

async fn earlier(context: &Context<'_>, id: &str, as_of: AsOf) -> Result<Option<Order>> {
    let (store, history) = (context.data::<Store>()?, context.data::<History>()?);
    let Ok(order) = OrderId::new(id) else { return Ok(None) };
    match history.order(&order, as_of).await {
        Ok(earlier) => Ok(earlier.map(|earlier| Order::earlier(store, history, earlier)).transpose()?),
        Err(HistoryError::Store(error)) => Err(error.into()),
        Err(error @ HistoryError::NoSuchRevision { last, .. }) => {
            Err(coded(&error, "NO_SUCH_REVISION").extend_with(|_, extensions| extensions.set("lastRevision", last)))
        }
    }
}
