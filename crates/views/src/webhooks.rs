//! The webhooks and their dead letters, as the projector has written them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::ids::OrderId;
use domain::webhook::{Delivery, Settings, Topic, WebhookId};
use sqlx::{FromRow, PgExecutor, PgPool};

/// A webhook that was not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownWebhook {
    /// Its id.
    pub id: WebhookId,
    /// What was chosen.
    pub settings: Settings,
    /// Why its notifications are not sent; `None`: they are.
    pub disabled_because: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was enabled last.
    pub enabled_at: DateTime<Utc>,
    /// When its secret was made.
    pub secret_at: DateTime<Utc>,
    /// Until when the earlier secret signs, too.
    pub earlier_secret_until: Option<DateTime<Utc>>,
}

/// A notification that was given up, and not replayed since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The notification.
    pub delivery: Delivery,
    /// The number of attempts.
    pub attempts: u32,
    /// The last error.
    pub error: String,
    /// When it was given up.
    pub given_up_at: DateTime<Utc>,
    /// Its place in the list.
    pub position: i64,
}

/// Which dead letters of a webhook.
#[derive(Debug, Clone, Default)]
pub struct Letters {
    /// Those that were given up at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Those that were given up before this time.
    pub to: Option<DateTime<Utc>>,
    /// Those after this place.
    pub after: Option<i64>,
    /// Those of this order.
    pub order: Option<OrderId>,
    /// Those of the event at this revision.
    pub revision: Option<i64>,
}

#[derive(FromRow)]
struct Row {
    id: String,
    url: String,
    events: Vec<String>,
    workflow: Option<String>,
    placed_by: Option<String>,
    description: Option<String>,
    state: String,
    disabled_because: Option<String>,
    created_at: DateTime<Utc>,
    enabled_at: DateTime<Utc>,
    secret_at: DateTime<Utc>,
    earlier_secret_until: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct LetterRow {
    order_id: String,
    order_revision: i64,
    r#type: String,
    attempts: i32,
    error: String,
    given_up_at: DateTime<Utc>,
    position: i64,
}

/// How many webhooks are disabled, and how many notifications were given up and not replayed.
#[derive(Debug, Clone, Copy, FromRow)]
pub struct WebhookCounts {
    /// Webhooks that are disabled.
    pub disabled: i64,
    /// Dead letters.
    pub dead_letters: i64,
}

/// All webhooks, the oldest first.
pub async fn all(db: impl PgExecutor<'_>) -> Result<Vec<KnownWebhook>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, url, events, workflow, placed_by, description, state, disabled_because, created_at, enabled_at,
                secret_at, earlier_secret_until
         FROM webhooks WHERE state <> 'DELETED' ORDER BY created_at, id",
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().filter_map(Row::webhook).collect())
}

/// How many webhooks there are, without deleted ones.
pub async fn count(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM webhooks WHERE state <> 'DELETED'").fetch_one(pool).await
}

/// The first dead letters of a webhook, in the order in which they were given up.
pub async fn dead_letters(
    db: impl PgExecutor<'_>,
    webhook: WebhookId,
    which: &Letters,
    most: usize,
) -> Result<Vec<DeadLetter>, sqlx::Error> {
    let Letters { from, to, after, order, revision } = which;
    let rows: Vec<LetterRow> = sqlx::query_as(
        "SELECT order_id, order_revision, type, attempts, error, given_up_at, position FROM webhook_dead_letters
         WHERE webhook_id = $1 AND replayed_at IS NULL AND position > $2
           AND ($3::timestamptz IS NULL OR given_up_at >= $3) AND ($4::timestamptz IS NULL OR given_up_at < $4)
           AND ($5::text IS NULL OR order_id = $5) AND ($6::bigint IS NULL OR order_revision = $6)
         ORDER BY position LIMIT $7",
    )
    .bind(webhook.to_string())
    .bind(after.unwrap_or(-1))
    .bind(from)
    .bind(to)
    .bind(order.as_ref().map(OrderId::as_str))
    .bind(revision)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().filter_map(LetterRow::letter).collect())
}

/// Counts for `/metrics`.
pub async fn counts(pool: &PgPool) -> Result<WebhookCounts, sqlx::Error> {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM webhooks WHERE state = 'DISABLED') AS disabled,
                (SELECT count(*) FROM webhook_dead_letters AS letter JOIN webhooks ON id = webhook_id
                 WHERE replayed_at IS NULL AND state <> 'DELETED') AS dead_letters",
    )
    .fetch_one(pool)
    .await
}

/// A notification, from the columns of its key.
pub(crate) fn delivery(order_id: &str, revision: i64, topic: &str) -> Option<Delivery> {
    let order_id = OrderId::new(order_id).ok()?;
    Some(Delivery { order_id, revision: revision.cast_unsigned(), topic: topic.parse().ok()? })
}

impl Row {
    /// Only the projector writes rows, from events that it has read: none is without a value here.
    fn webhook(self) -> Option<KnownWebhook> {
        let events: BTreeSet<Topic> = self.events.iter().filter_map(|topic| topic.parse().ok()).collect();
        let is_disabled = self.state == "DISABLED";
        Some(KnownWebhook {
            id: self.id.parse().ok()?,
            settings: Settings {
                url: self.url,
                events,
                workflow: self.workflow,
                placed_by: self.placed_by,
                description: self.description,
            },
            disabled_because: is_disabled.then(|| self.disabled_because.unwrap_or_default()),
            created_at: self.created_at,
            enabled_at: self.enabled_at,
            secret_at: self.secret_at,
            earlier_secret_until: self.earlier_secret_until,
        })
    }
}

impl LetterRow {
    fn letter(self) -> Option<DeadLetter> {
        Some(DeadLetter {
            delivery: delivery(&self.order_id, self.order_revision, &self.r#type)?,
            attempts: self.attempts.cast_unsigned(),
            error: self.error,
            given_up_at: self.given_up_at,
            position: self.position,
        })
    }
}
