//! How many orders had each status and state at a moment of the past.

use access::{Operation, Orders};
use async_graphql::{Context, Result, SimpleObject};
use chrono::{DateTime, Utc};
use views::{CountRow, PastCountRow, Store};

use super::overview::{StateCount, StatusCount, Sums};
use crate::error::QueryError;
use crate::permission::reach;

/// How many orders had each status and state at a moment, after the events that were recorded by
/// then. A shop counts the orders that it placed.
#[derive(SimpleObject)]
pub struct PastCounts {
    /// The number of all orders.
    orders: i64,
    /// How many orders had each business status.
    by_status: Vec<StatusCount>,
    /// How many orders were in each state.
    by_state: Vec<StateCount>,
    /// How many orders went on then, and have neither here: the views have had the status and the
    /// state of each event only since an update. `tenuto rebuild` fills in those from before it.
    unknown: i64,
}

/// Counts the orders of a moment.
pub async fn read(context: &Context<'_>, as_of: DateTime<Utc>) -> Result<PastCounts> {
    let (store, reach) = (context.data::<Store>()?, reach(context, Operation::CountOrders));
    let rows = match reach.orders() {
        Orders::All => store.past_counts(as_of, None).await,
        Orders::PlacedBy(own) => store.past_counts(as_of, Some(own)).await,
        Orders::None => Ok(Vec::new()),
    };
    let rows = rows.map_err(QueryError::from)?;
    let orders: i64 = rows.iter().map(|row| row.orders).sum();
    let known: Vec<CountRow> = rows.into_iter().filter_map(known).collect();
    let unknown = orders - known.iter().map(|row| row.orders).sum::<i64>();
    let Sums { by_status, by_state } = Sums::of(&known)?;
    Ok(PastCounts { orders, by_status, by_state, unknown })
}

fn known(PastCountRow { status, state, orders }: PastCountRow) -> Option<CountRow> {
    Some(CountRow { status: status?, state: state?, orders })
}
