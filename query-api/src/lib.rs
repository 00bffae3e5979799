//! GraphQL over the order views.
//!
//! [`router`] serves `/graphql` (with a console for browsers), the schema's text at `/schema.graphql`, and
//! `GET /orders/{id}` for those who only want to know where an order stands. It reads the views that the projector writes, and
//! nothing else; it writes nothing. Every `SELECT` is in [`store`].

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod ends;
mod error;
mod filter;
mod http;
mod options;
mod order_status;
mod paging;
mod schema;
mod store;

use axum::Router;
use axum::routing;
use sqlx::PgPool;

pub use error::StoreError;
pub use options::Options;
pub use order_status::{OrderStatus, order_status};

/// The query side over the views in that database.
pub fn router(pool: PgPool, options: &Options) -> Router {
    let schema = schema::schema(options);
    let graphql = Router::new()
        .route("/graphql", routing::get(http::get).post(http::post))
        .route("/schema.graphql", routing::get(http::schema_text))
        .with_state(http::Endpoint::new(schema, pool.clone(), options));
    let orders = Router::new()
        .route("/orders/{id}", routing::get(order_status::get).fallback(order_status::method_not_allowed))
        .with_state(order_status::Orders::new(pool));
    graphql.merge(orders)
}
