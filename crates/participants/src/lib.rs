//! Reference services that a workflow calls: orders, payments, shipping, notifications.
//!
//! They are small and real: each keeps its own schema in Postgres, and a record of the idempotency keys it has handled,
//! written in the same transaction as the effect. They are what you replace with your own services, and the example to
//! copy when you do. What every participant owes the orchestrator is in `contract` (the shape of requests and
//! answers), `record` (a repeated key has no second effect) and `outbox` (a later answer survives a restart); each
//! service then says only what its actions do.
//!
//! | service | actions (`POST`), and how they end | other calls |
//! |---|---|---|
//! | `/orders` | `create`: `created` · `cancel`: `canceled` · `update_status`: `updated`, `nothing_to_update` | `GET /{order}` |
//! | `/payments` | `charge`: `charged` · `refund`: `refunded` | `GET /{order}`, `GET /totals` |
//! | `/shipping` | `ship`, answered later: `shipped`, `backordered` and in time `shipped`, `out_of_stock` · `cancel_shipment`: `canceled` | `GET /{order}`, `GET` and `POST /stock`, `POST /restock` |
//! | `/notifications` | `send`: `sent` | `GET /mailbox` |
//!
//! An undo (`cancel`, `refund`, `cancel_shipment`) may also end as `nothing_to_undo`; what it would have undone is then
//! refused if it arrives after all.
//!
//! They are asked over HTTP ([`router`]), or by events ([`run_requests`]), or both ways at once. Mails are deleted with the personal data
//! in them, once the log tells that these were erased.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod admission;
mod audit;
mod by_events;
mod contract;
mod faults;
mod migrations;
mod notifications;
mod options;
mod orders;
mod outbox;
mod participant;
mod payments;
mod personal_data;
mod problem;
mod record;
mod shipping;
mod transaction;
mod worker;

use axum::Router;
use axum::extract::{DefaultBodyLimit, OriginalUri};
use axum::http::Method;
use axum::middleware;
use sqlx::PgPool;

pub use by_events::{read_requests_again, run_requests};
pub use faults::Faults;
pub use migrations::migrate;
pub use notifications::{InvalidMailServer, MailServer};
pub use options::{Options, Retry, Wake};
pub use worker::run_deliveries;

use participant::Context;
use problem::Problem;

/// The largest body a request may have, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The four services under `/orders`, `/payments`, `/shipping` and `/notifications`, with `/faults` to script their
/// failures and `/audit/repeats` to see repeated keys. [`run_deliveries`] has to run beside it, for the answers that
/// are given later and for mail.
pub fn router(pool: PgPool, options: Options) -> Router {
    let scripting = if options.scripted_faults { faults::routes(options.faults.clone()) } else { Router::new() };
    let gate = admission::Gate::new(options.requests_in_flight_max);
    let context = Context { pool, options };

    Router::new()
        .nest("/orders", orders::routes(&context))
        .nest("/payments", payments::routes(&context))
        .nest("/shipping", shipping::routes(&context))
        .nest("/notifications", notifications::routes(&context))
        .merge(audit::routes(&context))
        .layer(middleware::from_fn_with_state(gate, admission::admit))
        .merge(scripting)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .fallback(async |method: Method, OriginalUri(uri): OriginalUri| Problem::no_such_path(&method, &uri))
        .method_not_allowed_fallback(async |method: Method, OriginalUri(uri): OriginalUri| {
            Problem::method_not_allowed(&method, &uri)
        })
}
