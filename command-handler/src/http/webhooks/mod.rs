//! `/webhooks`: an administrator has systems of the shop notified of what happens to orders.

mod dead_letters;
mod described;
mod handle;
mod settings;
mod shown;

use std::sync::Arc;
use std::time::Duration;

use access::Caller;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use chrono::Utc;
use domain::webhook::{Command, WebhookId, test_payload};
use http_problem::Problem;
use http_request::{Fields, body};
use signing::webhook::WebhookSecret;
use tokio::time::timeout;
use tracing::{info, warn};
use views::{webhook_deliveries, webhook_secrets, webhooks};

use self::handle::{Handle, Hooks, Id, named, problem};
use self::shown::{Made, Rotated, Shown, Tested, WebhookList};
use super::in_time::{PATIENCE, in_time};
use crate::clock::{Clock, SystemClock};
use crate::webhooks::{Changed, Message, Webhooks, test_id};

pub(super) use described::{described, schemas};

pub(super) const PATH: &str = "/webhooks";
pub(super) const ONE: &str = "/webhooks/{id}";
pub(super) const ROTATE: &str = "/webhooks/{id}/rotate";
pub(super) const TEST: &str = "/webhooks/{id}/test";
pub(super) const DEAD_LETTERS: &str = "/webhooks/{id}/dead-letters";
pub(super) const REPLAY: &str = "/webhooks/{id}/replay";

/// The most webhooks: each follows the log.
const MAX_WEBHOOKS: i64 = 100;
/// How long an earlier secret signs after a rotation, by default and at most.
const EARLIER_FOR: Duration = Duration::from_hours(24);
const MAX_EARLIER_FOR: Duration = Duration::from_hours(30 * 24);

/// The routes.
pub(super) fn router(webhooks: &Webhooks) -> Router {
    let hooks = Hooks { registry: webhooks.registry(), sender: webhooks.sender().clone() };
    Router::new()
        .route(PATH, get(list).post(create))
        .route(ONE, get(show).put(change).delete(delete))
        .route(ROTATE, post(rotate))
        .route(TEST, post(test))
        .route(DEAD_LETTERS, get(dead_letters::list))
        .route(REPLAY, post(dead_letters::replay))
        .with_state(Arc::new(hooks))
}

async fn list(State(hooks): Handle) -> Result<Json<WebhookList>, Problem> {
    let listed = async { webhooks::all(hooks.registry.pool()).await.map_err(|error| problem(&error.into())) };
    let webhooks = in_time(listed).await?.into_iter().map(Shown::from).collect();
    Ok(Json(WebhookList { webhooks }))
}

async fn show(State(hooks): Handle, id: Id) -> Result<Json<Shown>, Problem> {
    let id = named(id)?;
    let webhook = in_time(async { hooks.registry.get(id).await.map_err(|error| problem(&error)) }).await?;
    Ok(Json(Shown::of(id, &webhook)))
}

async fn create(State(hooks): Handle, request: Request<Body>) -> Result<impl IntoResponse, Problem> {
    let caller = Caller::of(request.extensions());
    let (_, value) = body::json(request, &["application/json"]).await?;
    let settings = settings::new(value, &hooks.sender)?;
    let id = WebhookId(SystemClock.id());
    let created = async {
        let too_many = || Problem::conflict(format!("there are {MAX_WEBHOOKS} webhooks already; delete one first"));
        let count = webhooks::count(hooks.registry.pool()).await.map_err(|error| problem(&error.into()))?;
        if count >= MAX_WEBHOOKS {
            return Err(too_many());
        }
        let (secret, _) = hooks.registry.new_secret(id, Duration::ZERO).await.map_err(|error| problem(&error))?;
        let created = hooks.registry.command(id, Command::Create(settings), caller.name()).await;
        Ok((secret, created.map_err(|error| problem(&error))?))
    };
    let (secret, changed) = in_time(created).await?;
    info!(webhook = %id, principal = caller.name(), "a webhook was created");
    let made = Made { secret: WebhookSecret::text(&secret), webhook: Shown::changed(id, &changed) };
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("{PATH}/{id}"))], Json(made)))
}

async fn change(State(hooks): Handle, id: Id, request: Request<Body>) -> Result<Json<Shown>, Problem> {
    let (id, caller) = (named(id)?, Caller::of(request.extensions()));
    let (_, value) = body::json(request, &["application/json"]).await?;
    let (settings, enabled) = settings::changed(value, &hooks.sender)?;
    let changed = command(&hooks, id, Command::Change(settings, enabled), &caller).await?;
    info!(webhook = %id, principal = caller.name(), enabled, "a webhook was changed");
    Ok(Json(Shown::changed(id, &changed)))
}

async fn delete(State(hooks): Handle, id: Id, request: Request<Body>) -> Result<StatusCode, Problem> {
    let (id, caller) = (named(id)?, Caller::of(request.extensions()));
    command(&hooks, id, Command::Delete, &caller).await?;
    info!(webhook = %id, principal = caller.name(), "a webhook was deleted");
    let pool = hooks.registry.pool();
    // What is left of it is never read again.
    if let Err(error) = webhook_secrets::remove(pool, id).await.and(webhook_deliveries::forget(pool, id).await) {
        warn!(webhook = %id, %error, "the secrets of a deleted webhook are not removed");
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn rotate(State(hooks): Handle, id: Id, request: Request<Body>) -> Result<Json<Rotated>, Problem> {
    let (id, caller) = (named(id)?, Caller::of(request.extensions()));
    let (_, value) = body::json(request, &["application/json"]).await?;
    let mut fields = Fields::of(value, "", "must be an object, {} for the default")?;
    let seconds: Option<u32> = fields.whole_number("earlierForSeconds", 0, "of seconds, 0 or more");
    let earlier_for = seconds.map_or(EARLIER_FOR, |seconds| Duration::from_secs(seconds.into()));
    if earlier_for > MAX_EARLIER_FOR {
        fields.wrong("earlierForSeconds", format!("must be at most {}", MAX_EARLIER_FOR.as_secs()));
    }
    fields.finish()?;
    let rotated = async {
        // A webhook that does not exist gets no secret.
        hooks.registry.get(id).await.map_err(|error| problem(&error))?;
        let (secret, until) = hooks.registry.new_secret(id, earlier_for).await.map_err(|error| problem(&error))?;
        let rotated = hooks.registry.command(id, Command::RotateSecret(until), caller.name()).await;
        Ok((secret, until, rotated.map_err(|error| problem(&error))?))
    };
    let (secret, earlier_until, _) = in_time(rotated).await?;
    info!(webhook = %id, principal = caller.name(), "the secret of a webhook was rotated");
    Ok(Json(Rotated { secret: WebhookSecret::text(&secret), earlier_until }))
}

/// Sends a message that only tries the endpoint, whether the webhook is enabled or not.
async fn test(State(hooks): Handle, id: Id) -> Result<Json<Tested>, Problem> {
    let id = named(id)?;
    let webhook = in_time(async { hooks.registry.get(id).await.map_err(|error| problem(&error)) }).await?;
    let secrets = webhook_secrets::of(hooks.registry.pool(), id).await.map_err(|error| problem(&error.into()))?;
    let secrets: Vec<WebhookSecret> = secrets.iter().filter_map(|bytes| WebhookSecret::of(bytes).ok()).collect();
    if secrets.is_empty() {
        return Err(Problem::conflict("the webhook has no secret here; rotate its secret"));
    }
    let now = Utc::now();
    let body = test_payload(id, SystemClock.now().at).map_err(|error| problem(&error.into()))?;
    let message_id = test_id(id, now.timestamp_millis());
    let message = Message { url: &webhook.settings.url, id: &message_id, body: Bytes::from(body), secrets: &secrets };
    Ok(Json(match timeout(PATIENCE, hooks.sender.send(message)).await {
        Ok(tried) => Tested::from(tried),
        Err(_) => Tested::silent(PATIENCE),
    }))
}

async fn command(hooks: &Hooks, id: WebhookId, command: Command, caller: &Caller) -> Result<Changed, Problem> {
    let done = async { hooks.registry.command(id, command, caller.name()).await.map_err(|error| problem(&error)) };
    in_time(done).await
}
