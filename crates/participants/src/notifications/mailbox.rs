//! `GET /notifications/mailbox`: the mails, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::{DateTime, Utc};
use http_problem::Problem;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Notifications;
use crate::contract::check_name;
use crate::participant::Service;
use crate::problem::of_database;

/// The limit for mails in one answer.
const LIMIT_MAX: u16 = 1000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Filter {
    order_id: Option<String>,
    limit: Option<u16>,
}

#[derive(Debug, Serialize)]
pub(super) struct Mailbox {
    /// The total number, also beyond the limit.
    total: i64,
    mails: Vec<Mail>,
}

#[derive(Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
struct Mail {
    message_id: Uuid,
    order_id: String,
    template: String,
    #[serde(rename = "to")]
    recipient: String,
    #[serde(rename = "name")]
    recipient_name: Option<String>,
    subject: String,
    body: String,
    queued_at: DateTime<Utc>,
    attempts: i32,
    last_error: Option<String>,
    settlement: Option<String>,
}

pub(super) async fn list(
    State(service): State<Arc<Service<Notifications>>>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Mailbox>, Problem> {
    let Query(filter) = filter.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    if let Some(order_id) = &filter.order_id {
        check_name("", order_id)?;
    }
    let pool = &service.context.pool;
    let total = sqlx::query_scalar(
        "SELECT count(*) FROM participant_notifications.mails WHERE $1::text IS NULL OR order_id = $1",
    )
    .bind(&filter.order_id)
    .fetch_one(pool)
    .await
    .map_err(of_database)?;
    let mails = sqlx::query_as(
        "SELECT message_id, order_id, template, recipient, recipient_name, subject, body, queued_at, attempts, last_error,
                settlement
         FROM participant_notifications.mails WHERE $1::text IS NULL OR order_id = $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(&filter.order_id)
    .bind(i64::from(filter.limit.unwrap_or(100).min(LIMIT_MAX)))
    .fetch_all(pool)
    .await
    .map_err(of_database)?;
    Ok(Json(Mailbox { total, mails }))
}
