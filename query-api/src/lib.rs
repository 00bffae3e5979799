//! GraphQL over the order views.
//!
//! [`router`] serves `/graphql` (queries; subscriptions over WebSocket and as server-sent events;
//! `GraphiQL` for browsers), the schema's text at `/schema.graphql`, and `GET /orders/{id}` for
//! callers that only need an order's status, and `GET /requests` for what waits for approval.
//! [`console`] serves the web console at `/` and `/ui/`. The crate reads the views that the
//! projector writes, and the log for past states of orders ([`history`]). It writes nothing, and
//! every statement is in `views`.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod admission;
mod budget;
mod code;
mod completions;
mod console;
mod disclosures;
mod document;
mod error;
mod figures;
mod filter;
mod freshness;
mod history;
mod http;
mod live;
mod options;
mod order_endpoint;
mod order_status;
mod paging;
mod permission;
mod requests_endpoint;
mod schema;
mod sort;
mod view_position;
mod wrong_log;

use axum::Router;
use axum::routing;
use event_store::EventStore;
use sqlx::PgPool;

use admission::Admission;
use budget::Weighing;
use freshness::Waiting;
use history::History;
use live::Live;
use view_position::ViewPosition;
use views::LagMeter;

pub use code::ErrorCode;
pub use console::{ConsoleOptions, console};
pub use error::QueryError;
pub use figures::METRICS;
pub use live::LiveStats;
pub use options::Options;
pub use order_status::{OrderStatus, order_status};
pub use wrong_log::refused_while;

/// The query side over the views in this database, which are made from this log.
pub fn router(pool: PgPool, log: EventStore, options: &Options) -> Router {
    let (view_position, lag) = (ViewPosition::new(pool.clone()), LagMeter::new(pool.clone(), log.clone()));
    let waiting = Waiting::new(view_position.clone());
    let live = Live::new(pool.clone(), view_position.clone(), options.stats.clone());
    let admission = Admission::new(options.max_costly_queries);
    let history = History::new(log);
    let schema = schema::schema(history.clone(), lag.clone(), live, Weighing(admission.clone()), options);
    let graphql = Router::new()
        .route("/graphql", routing::get(http::get).post(http::post))
        .route("/schema.graphql", routing::get(http::schema_text))
        .with_state(http::Endpoint::new(schema, pool.clone(), waiting.clone(), admission, options));
    let orders = Router::new()
        .route("/orders/{id}", routing::get(order_endpoint::get))
        // An order may have the id `batch`. The other methods of this path belong to the command
        // endpoint.
        .route("/orders/batch", routing::get(order_endpoint::get_batch))
        .with_state(order_endpoint::Orders::new(pool.clone(), waiting, lag, history));
    let requests = Router::new()
        .route("/requests", routing::get(requests_endpoint::list))
        .route("/requests/{id}", routing::get(requests_endpoint::get))
        .with_state(pool);
    graphql.merge(orders).merge(requests)
}
