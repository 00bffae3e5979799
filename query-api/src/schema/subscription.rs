//! The subscriptions.

use access::Operation;
use async_graphql::{Context, ID, Result, Subscription};
use futures::StreamExt;
use futures::stream::BoxStream;

use super::order::Order;
use super::scalars::Position;
use crate::code::ErrorCode;
use crate::error::unknown_name;
use crate::filter::{OrderFilter, comparable};
use crate::live::{Begin, Ended, Interest, Live};
use crate::permission::{reach, readable};

type Changes = BoxStream<'static, Result<Order>>;

/// The subscriptions.
pub struct Subscription;

/// The subscriptions. An order arrives in its present state, so that changes in quick succession
/// arrive as one. After an interruption, subscribe again with the `position` of the last order that
/// arrived.
#[Subscription]
impl Subscription {
    /// An order: its present state, as soon as it exists, and then each change. With `from`, the
    /// position of the last change that the client has, only the changes after that.
    #[expect(clippy::unused_async, reason = "the macro awaits it")]
    async fn order(&self, context: &Context<'_>, id: ID, from: Option<Position>) -> Result<Changes> {
        let from = from.map_or(Begin::Present, |from| Begin::Position(from.0));
        changes(context, Interest::Order(comparable(&id)), from)
    }

    /// The orders that match a filter, each whenever it changes from now on. With `from`, the
    /// position of the last change that the client has, the changes after that come first. A filter
    /// that names a workflow, a version or a step that does not exist is an error, as for the
    /// query.
    async fn orders(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where")] filter: Option<OrderFilter>,
        from: Option<Position>,
    ) -> Result<Changes> {
        let criteria = readable(context, filter)?;
        let live = context.data::<Live>()?;
        if let Some(unknown) = live.unknown(&criteria).await? {
            return Err(unknown_name(&unknown));
        }
        let from = from.map_or(Begin::Now, |from| Begin::Position(from.0));
        changes(context, Interest::Matching(Box::new(criteria)), from)
    }
}

fn changes(context: &Context<'_>, interest: Interest, from: Begin) -> Result<Changes> {
    let changes = context.data::<Live>()?.subscribe(interest, from)?;
    let reach = reach(context, Operation::ReadOrders);
    // To a caller that may not see an order, it is as if the order did not exist.
    let seen = changes.filter(move |change| {
        let is_seen = change.as_ref().is_ok_and(|order| reach.covers_order(order.row().placed_by.as_deref()));
        std::future::ready(is_seen || change.is_err())
    });
    Ok(seen.map(|change| Ok(change?)).boxed())
}

impl From<Ended> for async_graphql::Error {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::TooSlow => ErrorCode::TooSlow.error(&ended),
            Ended::TooMany => ErrorCode::Overloaded.error(&ended),
            Ended::Query(error) => error.into(),
        }
    }
}
