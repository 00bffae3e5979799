//! What can be subscribed to.

use async_graphql::{Context, ID, Result, Subscription};
use futures::StreamExt;
use futures::stream::BoxStream;

use super::order::Order;
use super::scalars::Position;
use crate::error::{coded, unknown_name};
use crate::filter::{OrderFilter, comparable};
use crate::live::{Begin, Ended, Interest, Live};

type Changes = BoxStream<'static, Result<Order>>;

/// What can be subscribed to.
pub struct Subscription;

/// What can be subscribed to. An order comes as it is by then, so that changes in quick succession come as one; its `position` is
/// what to go on from after a break.
#[Subscription]
impl Subscription {
    /// An order: as it is, once it is there, and then whenever something happens to it. With `from`, the position of the last change
    /// that is known, only what came after that.
    #[expect(clippy::unused_async, reason = "the macro awaits it")]
    async fn order(&self, context: &Context<'_>, id: ID, from: Option<Position>) -> Result<Changes> {
        let from = from.map_or(Begin::Present, |from| Begin::Position(from.0));
        changes(context, Interest::Order(comparable(&id)), from)
    }

    /// The orders that meet a filter, each whenever something happens to it from now on. With `from`, the position of the last
    /// change that is known, what came after that is told first. A filter that names a workflow, a version or a step which does not
    /// exist is an error, as for the query.
    async fn orders(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where")] filter: Option<OrderFilter>,
        from: Option<Position>,
    ) -> Result<Changes> {
        let criteria = filter.unwrap_or_default().checked().map_err(|error| coded(&error, "BAD_USER_INPUT"))?;
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
    Ok(changes.map(|change| Ok(change?)).boxed())
}

impl From<Ended> for async_graphql::Error {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::TooSlow => coded(&ended, "TOO_SLOW"),
            Ended::TooMany => coded(&ended, "OVERLOADED"),
            Ended::Store(error) => error.into(),
        }
    }
}
