//! What people did to orders.

use access::{Operation, Orders};
use async_graphql::connection::Connection;
use async_graphql::{Context, Result, SimpleObject};
use chrono::{DateTime, Utc};
use domain::filter::within_history;
use views::{ActionPlace, ActionRow, ActionsOf, Store};

use super::connection::connection;
use super::order::Order;
use crate::code::ErrorCode;
use crate::error::QueryError;
use crate::filter::comparable;
use crate::paging::{PageArguments, cut, encode_cursor};
use crate::permission::reach;

/// What a person did to an order: an operation, or an answer in place of a participant. What the
/// order did next is in its timeline.
#[derive(SimpleObject)]
pub struct Action {
    order: Order,
    /// Index of its event in the order's stream.
    revision: i64,
    /// The type of its event.
    #[graphql(name = "type")]
    event_type: String,
    recorded_at: DateTime<Utc>,
    /// The principal. `bob, by desk`: the machine `desk` acted for Bob.
    actor: String,
    /// The reason that this person gave.
    reason: Option<String>,
    /// The step that it is about.
    step: Option<String>,
    /// The event, in a sentence.
    summary: String,
}

/// The arguments that select actions.
pub struct Which {
    pub actor: Option<String>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

/// Reads a page of the list.
pub async fn list(
    context: &Context<'_>,
    which: &Which,
    arguments: &PageArguments,
) -> Result<Connection<String, Action>> {
    let page = arguments.check(place).map_err(|error| ErrorCode::BadUserInput.error(&error))?;
    let store = context.data::<Store>()?;
    let actor = which.actor.as_deref().map(comparable);
    let (from, to) = (which.from.map(within_history), which.to.map(within_history));
    let which = ActionsOf { actor: actor.as_deref(), from, to, placed_by: None };
    let rows = match reach(context, Operation::ReadOrders).orders() {
        Orders::All => store.actions(&which, &page).await,
        Orders::PlacedBy(own) => store.actions(&ActionsOf { placed_by: Some(own), ..which }, &page).await,
        Orders::None => Ok(Vec::new()),
    };
    let rows = rows.map_err(QueryError::from)?;
    let orders = Order::of_ids(store, rows.iter().map(|row| row.order_id.clone()).collect()).await?;
    let with_order = |row: ActionRow| Some((cursor(&row), Action::of(orders.get(&row.order_id)?.clone(), row)));
    let actions = rows.into_iter().filter_map(with_order).collect();
    Ok(connection(cut(&page, actions), |action| action))
}

impl Action {
    fn of(order: Order, row: ActionRow) -> Self {
        let ActionRow { order_id: _, revision, event_type, recorded_at, summary, step, actor, reason } = row;
        Self { order, revision, event_type, recorded_at, actor, reason, step, summary }
    }
}

fn cursor(row: &ActionRow) -> String {
    encode_cursor(&format!("action|{}|{}|{}", row.recorded_at.timestamp_micros(), row.order_id, row.revision))
}

/// No order's id has a bar.
fn place(cursor: &str) -> Option<ActionPlace> {
    let mut parts = cursor.strip_prefix("action|")?.split('|');
    let recorded_at = DateTime::from_timestamp_micros(parts.next()?.parse().ok()?)?;
    let (order_id, revision) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
    let is_place = parts.next().is_none() && !order_id.contains('\0');
    is_place.then_some(ActionPlace { recorded_at, order_id, revision })
}
