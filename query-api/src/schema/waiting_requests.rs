//! The list of operations that wait for a second person.

use access::{Operation, Orders, Reach};
use async_graphql::connection::Connection;
use async_graphql::{Context, Result, SimpleObject};
use chrono::DateTime;
use views::{Page, RequestPlace, RequestRow, Store, ViewsError};

use super::connection::connection;
use super::order::Order;
use super::requests::OperationRequest;
use crate::code::ErrorCode;
use crate::error::QueryError;
use crate::paging::{PageArguments, cut, encode_cursor};
use crate::permission::reach;

/// An operation that waits for a second person.
#[derive(SimpleObject)]
pub struct WaitingRequest {
    request: OperationRequest,
    /// Its order; null: it is for a batch.
    order: Option<Order>,
}

/// Reads a page of those that wait.
pub async fn list(context: &Context<'_>, arguments: &PageArguments) -> Result<Connection<String, WaitingRequest>> {
    let page = arguments.check(place).map_err(|error| ErrorCode::BadUserInput.error(&error))?;
    let store = context.data::<Store>()?;
    let rows = requests_within(reach(context, Operation::ReadOrders), store, &page).await.map_err(QueryError::from)?;
    let ids = rows.iter().filter_map(|row| row.order_id.clone()).collect();
    let orders = Order::of_ids(store, ids).await?;
    let with_order = |row: RequestRow| {
        let order = row.order_id.as_ref().and_then(|id| orders.get(id)).cloned();
        WaitingRequest { request: OperationRequest::of(row), order }
    };
    let requests = rows.into_iter().map(with_order).collect();
    Ok(connection(cut(&page, requests), |request| (cursor(request.request.row()), request)))
}

/// The rows of a page of those that wait, as far as a caller reads their orders.
pub async fn requests_within(
    reach: Reach,
    store: &Store,
    page: &Page<RequestPlace>,
) -> Result<Vec<RequestRow>, ViewsError> {
    match reach.orders() {
        Orders::All => store.requests(None, page).await,
        Orders::PlacedBy(own) => store.requests(Some(own), page).await,
        Orders::None => Ok(Vec::new()),
    }
}

fn cursor(row: &RequestRow) -> String {
    encode_cursor(&format!("request|{}|{}", row.requested_at.timestamp_micros(), row.id))
}

fn place(cursor: &str) -> Option<RequestPlace> {
    let (at, id) = cursor.strip_prefix("request|")?.split_once('|')?;
    let requested_at = DateTime::from_timestamp_micros(at.parse().ok()?)?;
    (!id.contains('\0')).then(|| RequestPlace { requested_at, id: id.to_owned() })
}
