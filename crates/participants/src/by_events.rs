//! Requests in `requests-{participant}` and replies in `replies-{participant}`.
//!
//! A request is handled as over HTTP, with the same idempotency key, so a request on both ways has
//! one effect. Where HTTP answers "try again", this file tries again itself: no one else would. The
//! requests of an order are handled in their order. A service that was down continues at its
//! checkpoint; its requests have waited in their stream.

use std::sync::Arc;

use axum::http::StatusCode;
use domain::wire::participants::{ActionAnswered, ActionRefused, ActionRequested, Reply, decode_request};
use event_store::{EventStore, Filter, RecordedEvent};
use leader_consumer::{FollowOptions, Reader, follow};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};
use tokio_util::sync::CancellationToken;

use crate::contract::{Request, WireAnswer};
use crate::faults::Mishap;
use crate::notifications::{Notifications, run_erasures};
use crate::options::{Options, REMEDY};
use crate::orders::Orders;
use crate::participant::{Context, Participant, Service, answer};
use crate::payments::Payments;
use crate::personal_data::{ClaimError, Claims};
use crate::problem::is_passing;
use crate::replies::{NotAppended, append};
use crate::shipping::Shipping;

/// The limit of parallel requests to one service.
const MAX_IN_FLIGHT: usize = 32;
/// Handles requests and erasures by events for the four services, until `stop`. Several instances
/// may run: for each service one reads, and another takes over when it ends. The delivery worker
/// must run, too, with the same log.
pub async fn run_requests(pool: PgPool, log: EventStore, options: Options, stop: CancellationToken) {
    let context = Context { pool, options };
    tokio::join!(
        serve::<Orders>(&context, &log, &stop),
        serve::<Payments>(&context, &log, &stop),
        serve::<Shipping>(&context, &log, &stop),
        serve::<Notifications>(&context, &log, &stop),
        run_erasures(&context, &log, stop.clone()),
    );
}

/// Restarts reading of requests and erasures at the beginning of the log, for services with another
/// log. Repeated requests have no second effect.
pub async fn read_requests_again(pool: &PgPool) -> Result<(), sqlx::Error> {
    for table in [
        "participant_orders.request_checkpoints",
        "participant_payments.request_checkpoints",
        "participant_shipping.request_checkpoints",
        "participant_notifications.request_checkpoints",
    ] {
        let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(table).fetch_one(pool).await?;
        if exists {
            sqlx::query(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(pool).await?;
        }
    }
    Ok(())
}

async fn serve<P: Participant>(context: &Context, log: &EventStore, stop: &CancellationToken) {
    // The whole name, because another service's name may begin in the same way.
    let filter = Filter::StreamRegex(format!("^{}$", ActionRequested::stream(P::NAME)));
    let options = FollowOptions {
        max_under_way: MAX_IN_FLIGHT,
        ..FollowOptions::new(P::NAME, P::LOCK, P::CHECKPOINT, filter, (context.options.alarm.clone(), REMEDY))
    };
    let claims = match Claims::new() {
        Ok(claims) => claims,
        Err(error) => return tracing::error!(participant = P::NAME, %error, "requests by events cannot be handled"),
    };
    let desk = Arc::new(Desk { service: Service::<P>::new(context), log: log.clone(), claims });
    follow(options, log.clone(), context.pool.clone(), desk, stop.clone()).await;
}

/// Reads the requests of a service from the log.
struct Desk<P> {
    service: Service<P>,
    log: EventStore,
    claims: Claims,
}

impl<P: Participant> Reader for Desk<P> {
    fn lane(&self, event: &RecordedEvent) -> Option<String> {
        let (requested, _) = decode_request(&event.event_type, &event.data, &event.metadata).ok()?;
        Some(requested.order_id.into())
    }

    async fn handle(&self, event: RecordedEvent) {
        let (requested, metadata) = match decode_request(&event.event_type, &event.data, &event.metadata) {
            Ok(read) => read,
            // The event does not name a request to answer. It stays in its stream.
            Err(error) => {
                return tracing::error!(stream = event.stream, revision = event.revision, %error, "a request was passed over");
            }
        };
        let traceparent = metadata.traceparent.as_deref();
        let mut attempts = 0;
        while let Err(trouble) = self.attempt(&event, &requested, traceparent).await {
            attempts += 1;
            let pause = self.service.context.options.retry.pause(attempts, None);
            let wait_ms = pause.as_millis();
            tracing::warn!(participant = P::NAME, order = %requested.order_id, trouble, wait_ms, "a request is tried again");
            tokio::time::sleep(pause).await;
        }
    }
}

impl<P: Participant> Desk<P> {
    /// Handles a request once, and appends its reply. An error means: try again.
    async fn attempt(
        &self,
        event: &RecordedEvent,
        requested: &ActionRequested,
        traceparent: Option<&str>,
    ) -> Result<(), String> {
        let reply = match self.answer(event, requested, traceparent).await? {
            Handled::Answered(answer) => reply_of(requested, &answer)?,
            Handled::Held(error) => Some(refused(requested, error, true)),
        };
        let Some(reply) = reply else { return Ok(()) };
        match append(&self.log, P::NAME, &reply, event.id, traceparent).await {
            Ok(()) => Ok(()),
            Err(NotAppended::Later(reason)) => Err(reason),
            Err(NotAppended::Never(reason)) => {
                tracing::error!(participant = P::NAME, order = %requested.order_id, reason, "a reply could not be given");
                Ok(())
            }
        }
    }

    async fn answer(
        &self,
        event: &RecordedEvent,
        requested: &ActionRequested,
        traceparent: Option<&str>,
    ) -> Result<Handled, String> {
        let strike = self.service.context.options.faults.strike(P::NAME, &requested.action);
        if let Some(mishap) = strike.instead().await {
            return instead(mishap).map(Handled::Answered);
        }
        let requested = match self.claims.filled_in(requested.clone()).await {
            Ok(requested) => requested,
            Err(ClaimError::Later(reason)) => return Err(reason),
            Err(ClaimError::Never(problem)) => return Ok(Handled::Answered(WireAnswer::of(&problem))),
            // A retry would block other requests until a person has corrected the cause.
            Err(ClaimError::Held(error)) => return Ok(Handled::Held(error)),
        };
        let answered = match Request::of_event(event.id, &requested, traceparent) {
            Ok(request) => answer(&self.service, &request).await,
            Err(problem) => Err(problem),
        };
        if let Some(mishap) = strike.afterwards() {
            return instead(mishap).map(Handled::Answered);
        }
        Ok(Handled::Answered(answered.unwrap_or_else(|problem| WireAnswer::of(&problem))))
    }
}

/// The result of a request.
enum Handled {
    Answered(WireAnswer),
    /// The service did not act, and cannot until a person corrects something.
    Held(String),
}

fn instead(mishap: Mishap) -> Result<WireAnswer, String> {
    match mishap {
        Mishap::Answers(problem) => Ok(WireAnswer::of(&problem)),
        Mishap::Silence => Err("a scripted fault".to_owned()),
    }
}

#[derive(Deserialize)]
struct Done {
    outcome: String,
    data: Value,
}

#[derive(Deserialize)]
struct Refusal {
    detail: String,
}

/// The reply for an HTTP answer; `None`: the answer comes later; an error: try again.
fn reply_of(requested: &ActionRequested, answer: &WireAnswer) -> Result<Option<Reply>, String> {
    if answer.status == StatusCode::ACCEPTED {
        return Ok(None);
    }
    if answer.status.is_success() {
        let ActionRequested { order_id, step, direction, .. } = requested.clone();
        let Done { outcome, data } = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
        let outcome = Some(outcome);
        return Ok(Some(Reply::Answered(ActionAnswered { order_id, step, direction, outcome, data })));
    }
    let Refusal { detail } = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
    if is_passing(answer.status) {
        return Err(detail);
    }
    Ok(Some(refused(requested, detail, false)))
}

fn refused(requested: &ActionRequested, error: String, misconfigured: bool) -> Reply {
    let ActionRequested { order_id, step, direction, .. } = requested.clone();
    Reply::Refused(ActionRefused { order_id, step, direction, error, misconfigured })
}
