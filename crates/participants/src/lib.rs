//! Reference services that a workflow calls: orders, payments, shipping, notifications.
//!
//! They are small and real: each has its own schema in Postgres, and a record of handled
//! idempotency keys, written in the transaction of the effect. They are what you replace with your
//! own services, and an example to copy. Every participant's duties towards the orchestrator are in
//! `contract` (the form of requests and answers), `record` (a repeated key has no second effect)
//! and `outbox` (a later answer survives a restart). Each service has only its own actions.
//!
//! | service | actions (`POST`), and how they end | other calls |
//! |---|---|---|
//! | `/orders` | `create`: `created` · `cancel`: `canceled` · `update_status`: `updated`, `nothing_to_update` | `GET /{order}` |
//! | `/payments` | `charge`: `charged` · `refund`: `refunded` | `GET /{order}`, `GET /totals` |
//! | `/shipping` | `ship`, answered later: `shipped`, `backordered` and in time `shipped`, `out_of_stock` · `cancel_shipment`: `canceled` | `GET /{order}`, `GET` and `POST /stock`, `POST /restock` |
//! | `/notifications` | `send`: `sent` | `GET /mailbox` |
//!
//! An undo (`cancel`, `refund`, `cancel_shipment`) may also end as `nothing_to_undo`. Then its
//! action is refused if it arrives later.
//!
//! Requests come over HTTP ([`router`]), by events ([`run_requests`]), or both ways at once. The
//! services delete mails with personal data when the log reports that these were erased.

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
mod replies;
mod scripting;
mod shipping;
mod signature;
mod transaction;
mod worker;

use axum::Router;
use axum::extract::{DefaultBodyLimit, OriginalUri};
use axum::http::Method;
use axum::middleware;
use http_problem::Problem;
use sqlx::PgPool;

pub use by_events::{read_requests_again, run_requests};
pub use faults::Faults;
pub use migrations::migrate;
pub use notifications::{InvalidMailServer, MailServer};
pub use options::{Options, Retry, Wake};
pub use worker::run_deliveries;

use participant::Context;

/// The limit for the body of a request, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The four services under `/orders`, `/payments`, `/shipping` and `/notifications`, with `/faults`
/// for scripted faults and `/audit/repeats` for repeated keys. [`run_deliveries`] must run, too,
/// for later answers and mail.
pub fn router(pool: PgPool, options: Options) -> Router {
    let scripting = if options.scripted_faults { scripting::routes(options.faults.clone()) } else { Router::new() };
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
        .fallback(async |method: Method, OriginalUri(uri): OriginalUri| {
            Problem::no_such_path(&method, &uri, "the services have")
        })
        .method_not_allowed_fallback(async |method: Method, OriginalUri(uri): OriginalUri| {
            Problem::method_not_allowed(&method, &uri)
        })
}
