//! What can be asked.

use async_graphql::connection::Connection;
use async_graphql::{Context, ID, Object, Result};

use super::connection;
use super::order::Order;
use super::overview::Overview;
use super::workflow::Workflow;
use crate::error::coded;
use crate::filter::{OrderFilter, OrderSort, comparable};
use crate::paging::{Cut, PageArguments, cost_factor};
use crate::store::Store;

/// What can be asked.
pub struct Query;

/// What can be asked.
#[Object]
impl Query {
    /// An order by its id; null where there is none.
    async fn order(&self, context: &Context<'_>, id: ID) -> Result<Option<Order>> {
        let store = context.data::<Store>()?;
        let row = store.order(&comparable(&id)).await?;
        Ok(Order::list(store, Vec::from_iter(row))?.pop())
    }

    /// The orders that meet a filter, the latest first unless said otherwise, at most 200 at a time.
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
    ) -> Result<Connection<String, Order>> {
        let store = context.data::<Store>()?;
        let sort = order_by.unwrap_or(OrderSort::PlacedAtDesc);
        let arguments = PageArguments { first, after, last, before };
        let page = sort.page(&arguments).map_err(|error| coded(&error, "BAD_USER_INPUT"))?;
        let criteria = filter.unwrap_or_default().criteria().map_err(|error| coded(&error, "BAD_USER_INPUT"))?;
        let Cut { rows, has_previous, has_next } = page.cut(store.orders(&criteria, sort, &page).await?);
        let cut = Cut { rows: Order::list(store, rows)?, has_previous, has_next };
        Ok(connection(cut, |order| (sort.cursor(order.row()), order)))
    }

    /// A workflow's definition; without a version, the latest.
    async fn workflow(&self, context: &Context<'_>, name: String, version: Option<i32>) -> Result<Option<Workflow>> {
        let row = context.data::<Store>()?.workflow(&comparable(&name), version).await?;
        Ok(row.map(Workflow::from))
    }

    /// Everything at a glance.
    async fn overview(&self, context: &Context<'_>) -> Result<Overview> {
        let store = context.data::<Store>()?;
        let (counts, progress) = tokio::try_join!(store.counts(), store.progress())?;
        Ok(Overview::of(&counts, &progress)?)
    }
}
