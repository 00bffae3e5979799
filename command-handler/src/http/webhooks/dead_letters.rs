//! `GET /webhooks/{id}/dead-letters` and `POST /webhooks/{id}/replay`: notifications that were
//! given up, listed and sent again.

use access::Caller;
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{Request, StatusCode};
use chrono::{DateTime, Utc};
use domain::ids::OrderId;
use domain::webhook::{Command, Delivery, Refusal, Standing, WebhookId};
use http_problem::Problem;
use http_request::{Fields, body};
use serde::Deserialize;
use sqlx::PgPool;
use tracing::info;
use views::webhook_deliveries;
use views::webhooks::{self, DeadLetter};

use super::handle::{Handle, Hooks, Id, named, problem};
use super::shown::{Letter, Letters, Replayed};
use crate::http::in_time::in_time;

/// How many dead letters a page has, by default and at most.
const PAGE: usize = 50;
pub(super) const MAX_PAGE: usize = 500;
/// The most dead letters that one request replays.
pub(super) const MAX_REPLAYED: usize = 500;
/// The most replayed notifications that wait until they are sent.
const MAX_WAITING: i64 = 1_000;

/// The parameters of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageOf {
    first: Option<usize>,
    after: Option<i64>,
}

pub(super) async fn list(
    State(hooks): Handle,
    id: Id,
    page: Result<Query<PageOf>, QueryRejection>,
) -> Result<Json<Letters>, Problem> {
    let id = named(id)?;
    let wrong = || {
        let detail = format!("`first` must be a number from 1 to {MAX_PAGE}, and `after` one that a list has given");
        Problem::bad_request(detail)
    };
    let Query(PageOf { first, after }) = page.map_err(|_| wrong())?;
    let first = first.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&first) || after.is_some_and(i64::is_negative) {
        return Err(wrong());
    }
    let listed = async {
        hooks.registry.get(id).await.map_err(|error| problem(&error))?;
        let which = webhooks::Letters { after, ..webhooks::Letters::default() };
        read(hooks.registry.pool(), id, &which, first).await
    };
    let (letters, more) = in_time(listed).await?;
    let after = letters.last().filter(|_| more).map(|last| last.position.to_string());
    Ok(Json(Letters { dead_letters: letters.iter().map(|letter| Letter::of(id, letter)).collect(), after }))
}

pub(super) async fn replay(
    State(hooks): Handle,
    id: Id,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Replayed>), Problem> {
    let (id, caller) = (named(id)?, Caller::of(request.extensions()));
    let (_, value) = body::json(request, &["application/json"]).await?;
    let which = which(value)?;
    let replayed = in_time(replayed(&hooks, id, &which, &caller)).await?;
    info!(webhook = %id, principal = caller.name(), replayed = replayed.replayed, "notifications are sent again");
    Ok((StatusCode::ACCEPTED, Json(replayed)))
}

async fn replayed(
    hooks: &Hooks,
    id: WebhookId,
    which: &webhooks::Letters,
    caller: &Caller,
) -> Result<Replayed, Problem> {
    let pool = hooks.registry.pool();
    let webhook = hooks.registry.get(id).await.map_err(|error| problem(&error))?;
    if webhook.standing != Standing::Enabled {
        return Err(problem(&Refusal::Disabled.into()));
    }
    let failed = |error: sqlx::Error| problem(&error.into());
    if webhook_deliveries::new_ones(pool, id).await.map_err(failed)? >= MAX_WAITING {
        return Err(Problem::later("the notifications that were replayed before are not sent yet"));
    }
    let (letters, more) = read(pool, id, which, MAX_REPLAYED).await?;
    let deliveries: Vec<Delivery> = letters.into_iter().map(|letter| letter.delivery).collect();
    if deliveries.is_empty() {
        return Ok(Replayed { replayed: 0, more: false });
    }
    let count = deliveries.len();
    // They are sent once they are in the log as replayed, and not before: it is the later event of
    // two that says whether a letter is dead.
    let mut transaction = pool.begin().await.map_err(failed)?;
    webhook_deliveries::add_new(&mut transaction, id, &deliveries).await.map_err(failed)?;
    let recorded = hooks.registry.command(id, Command::Replay(deliveries), caller.name()).await;
    recorded.map_err(|error| problem(&error))?;
    transaction.commit().await.map_err(failed)?;
    Ok(Replayed { replayed: count, more })
}

/// The first letters, and whether there are more.
async fn read(
    pool: &PgPool,
    id: WebhookId,
    which: &webhooks::Letters,
    most: usize,
) -> Result<(Vec<DeadLetter>, bool), Problem> {
    let read = webhooks::dead_letters(pool, id, which, most + 1).await;
    let mut letters = read.map_err(|error| problem(&error.into()))?;
    let more = letters.len() > most;
    letters.truncate(most);
    Ok((letters, more))
}

/// Which letters are replayed: those of an order, those of a time range, or all.
fn which(body: serde_json::Value) -> Result<webhooks::Letters, Problem> {
    let mut fields = Fields::of(body, "", "must be an object with \"orderId\", \"from\" and \"to\", or \"all\"")?;
    let fault = |text: &str| OrderId::new(text).err().map(|error| format!("as an order's id, it {error}"));
    let order = fields.text("orderId", fault).and_then(|id| OrderId::new(id).ok());
    let revision: Option<i64> = fields.whole_number("revision", 0, "of an event of the order");
    let (from, to, all) = (time(&mut fields, "from"), time(&mut fields, "to"), fields.flag("all"));
    let is_range = from.is_some() || to.is_some();
    if usize::from(order.is_some()) + usize::from(is_range) + usize::from(all) != 1 {
        fields
            .wrong("all", "must be true, or \"orderId\" must name an order, or \"from\" or \"to\" a time: one of them");
    }
    if revision.is_some() && order.is_none() {
        fields.wrong("revision", "needs \"orderId\"");
    }
    fields.finish()?;
    Ok(webhooks::Letters { from, to, after: None, order, revision })
}

fn time(fields: &mut Fields, name: &str) -> Option<DateTime<Utc>> {
    let parsed = |text: &str| DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let fault = |text: &str| parsed(text).is_err().then(|| "must be a time like 2026-01-31T12:00:00Z".to_owned());
    fields.text(name, fault).and_then(|text| parsed(&text).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn letters_are_replayed_by_order_by_time_or_all() {
        let order = which(json!({ "orderId": "7", "revision": 3 })).unwrap();
        assert_eq!((order.order.map(|id| id.to_string()).as_deref(), order.revision), (Some("7"), Some(3)));
        let range = which(json!({ "from": "2026-01-31T12:00:00+01:00" })).unwrap();
        assert_eq!(range.from.unwrap().to_rfc3339(), "2026-01-31T11:00:00+00:00");
        assert!(which(json!({ "all": true })).is_ok());
        for wrong in [
            json!({}),
            json!({ "all": false }),
            json!({ "all": true, "orderId": "7" }),
            json!({ "revision": 3, "all": true }),
            json!({ "from": "yesterday" }),
            json!({ "orderId": "a b" }),
            json!({ "everything": true }),
        ] {
            assert!(which(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
