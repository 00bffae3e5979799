//! How far the notifications of each webhook are delivered. This is no view: only command handlers
//! write it, and if it is lost, notifications are sent again.

use chrono::{DateTime, Utc};
use domain::webhook::{Delivery, Topic, WebhookId};
use leader_consumer::{Checkpoint, CheckpointRow, checkpoint_in, read_checkpoint, write_checkpoint};
use sqlx::{FromRow, PgConnection, PgPool};

/// The statements on a checkpoint. The name is that of the webhook.
const STATEMENTS: CheckpointRow = checkpoint_in!("webhook_checkpoints", "");

/// A notification that is not delivered, although the checkpoint has passed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenDelivery {
    /// The notification.
    pub delivery: Delivery,
    /// The number of attempts.
    pub attempts: u32,
    /// When it was first tried.
    pub first_at: Option<DateTime<Utc>>,
    /// When it is tried again.
    pub next_at: Option<DateTime<Utc>>,
    /// The last error.
    pub error: Option<String>,
}

#[derive(FromRow)]
struct Row {
    order_id: String,
    order_revision: i64,
    r#type: String,
    attempts: i32,
    first_at: Option<DateTime<Utc>>,
    next_at: Option<DateTime<Utc>>,
    error: Option<String>,
}

impl Row {
    fn open(self) -> Option<OpenDelivery> {
        let Self { order_id, order_revision, r#type, attempts, first_at, next_at, error } = self;
        let delivery = crate::webhooks::delivery(&order_id, order_revision, &r#type)?;
        Some(OpenDelivery { delivery, attempts: attempts.cast_unsigned(), first_at, next_at, error })
    }
}

/// How far a webhook is; `None`: it has not begun.
pub async fn checkpoint(db: &mut PgConnection, webhook: WebhookId) -> Result<Option<Checkpoint>, sqlx::Error> {
    read_checkpoint(db, STATEMENTS.read, &webhook.to_string()).await
}

/// Moves the checkpoint of a webhook.
pub async fn move_checkpoint(db: &mut PgConnection, webhook: WebhookId, to: &Checkpoint) -> Result<(), sqlx::Error> {
    write_checkpoint(db, STATEMENTS.write, &webhook.to_string(), to).await
}

/// The open deliveries of a webhook that are on record. From now on, none of them is new.
pub async fn open(db: &mut PgConnection, webhook: WebhookId) -> Result<Vec<OpenDelivery>, sqlx::Error> {
    sqlx::query("UPDATE webhook_deliveries SET is_new = false WHERE webhook_id = $1 AND is_new")
        .bind(webhook.to_string())
        .execute(&mut *db)
        .await?;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT order_id, order_revision, type, attempts, first_at, next_at, error FROM webhook_deliveries
         WHERE webhook_id = $1 ORDER BY order_id, order_revision, type",
    )
    .bind(webhook.to_string())
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().filter_map(Row::open).collect())
}

/// Takes deliveries that an administrator replays.
pub async fn take_new(
    db: &mut PgConnection,
    webhook: WebhookId,
    most: usize,
) -> Result<Vec<OpenDelivery>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "UPDATE webhook_deliveries AS delivery SET is_new = false
         FROM (SELECT order_id, order_revision, type FROM webhook_deliveries WHERE webhook_id = $1 AND is_new
               ORDER BY order_id, order_revision, type LIMIT $2) AS new
         WHERE delivery.webhook_id = $1
           AND (delivery.order_id, delivery.order_revision, delivery.type) = (new.order_id, new.order_revision, new.type)
         RETURNING delivery.order_id, delivery.order_revision, delivery.type, attempts, first_at, next_at, error",
    )
    .bind(webhook.to_string())
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(db)
    .await?;
    let mut taken: Vec<OpenDelivery> = rows.into_iter().filter_map(Row::open).collect();
    taken.sort_by(|a, b| a.delivery.cmp(&b.delivery));
    Ok(taken)
}

/// Adds deliveries that an administrator replays, unless they are open.
pub async fn add_new(db: &mut PgConnection, webhook: WebhookId, deliveries: &[Delivery]) -> Result<(), sqlx::Error> {
    let (orders, revisions, topics) = keys(deliveries.iter());
    sqlx::query(
        "INSERT INTO webhook_deliveries (webhook_id, order_id, order_revision, type, is_new)
         SELECT $1, order_id, order_revision, type, true
         FROM unnest($2::text[], $3::bigint[], $4::text[]) AS replayed (order_id, order_revision, type)
         ON CONFLICT DO NOTHING",
    )
    .bind(webhook.to_string())
    .bind(orders)
    .bind(revisions)
    .bind(topics)
    .execute(db)
    .await
    .map(drop)
}

/// How many replayed deliveries of a webhook wait to be taken.
pub async fn new_ones(pool: &PgPool, webhook: WebhookId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM webhook_deliveries WHERE webhook_id = $1 AND is_new")
        .bind(webhook.to_string())
        .fetch_one(pool)
        .await
}

/// Records open deliveries, or what became of their last attempts.
pub async fn record(db: &mut PgConnection, webhook: WebhookId, open: &[OpenDelivery]) -> Result<(), sqlx::Error> {
    let (orders, revisions, topics) = keys(open.iter().map(|open| &open.delivery));
    sqlx::query(
        "INSERT INTO webhook_deliveries (webhook_id, order_id, order_revision, type, attempts, first_at, next_at, error)
         SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::text[], $5::integer[], $6::timestamptz[],
                                  $7::timestamptz[], $8::text[])
         ON CONFLICT (webhook_id, order_id, order_revision, type) DO UPDATE
         SET attempts = excluded.attempts, first_at = excluded.first_at, next_at = excluded.next_at,
             error = excluded.error, is_new = false",
    )
    .bind(webhook.to_string())
    .bind(orders)
    .bind(revisions)
    .bind(topics)
    .bind(open.iter().map(|open| open.attempts.cast_signed()).collect::<Vec<_>>())
    .bind(open.iter().map(|open| open.first_at).collect::<Vec<_>>())
    .bind(open.iter().map(|open| open.next_at).collect::<Vec<_>>())
    .bind(open.iter().map(|open| open.error.clone()).collect::<Vec<_>>())
    .execute(db)
    .await
    .map(drop)
}

/// Removes a delivery that has come to its end.
pub async fn settle(db: &mut PgConnection, webhook: WebhookId, delivery: &Delivery) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM webhook_deliveries
         WHERE webhook_id = $1 AND order_id = $2 AND order_revision = $3 AND type = $4 AND NOT is_new",
    )
    .bind(webhook.to_string())
    .bind(delivery.order_id.to_string())
    .bind(delivery.revision.cast_signed())
    .bind(delivery.topic.as_str())
    .execute(db)
    .await
    .map(drop)
}

/// Forgets how far a webhook is, once it is deleted.
pub async fn forget(pool: &PgPool, webhook: WebhookId) -> Result<(), sqlx::Error> {
    let id = webhook.to_string();
    sqlx::query("DELETE FROM webhook_deliveries WHERE webhook_id = $1").bind(&id).execute(pool).await?;
    sqlx::query("DELETE FROM webhook_late_orders WHERE webhook_id = $1").bind(&id).execute(pool).await?;
    sqlx::query("DELETE FROM webhook_checkpoints WHERE name = $1").bind(&id).execute(pool).await.map(drop)
}

/// Forgets how far all webhooks are: for a database that now follows another log.
pub async fn forget_all(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM webhook_deliveries").execute(pool).await?;
    sqlx::query("DELETE FROM webhook_late_orders").execute(pool).await?;
    sqlx::query("DELETE FROM webhook_checkpoints").execute(pool).await.map(drop)
}

fn keys<'a>(deliveries: impl Iterator<Item = &'a Delivery>) -> (Vec<String>, Vec<i64>, Vec<&'static str>) {
    let (mut orders, mut revisions, mut topics) = (Vec::new(), Vec::new(), Vec::new());
    for Delivery { order_id, revision, topic } in deliveries {
        orders.push(order_id.to_string());
        revisions.push(revision.cast_signed());
        topics.push(Topic::as_str(*topic));
    }
    (orders, revisions, topics)
}

#[cfg(test)]
mod tests {
    use domain::ids::OrderId;
    use event_store::Position;
    use postgres_cluster::testing::database;
    use uuid::Uuid;

    use super::*;

    fn ended(order: &str) -> Delivery {
        Delivery { order_id: OrderId::new(order).unwrap(), revision: 4, topic: Topic::Ended }
    }

    #[tokio::test]
    async fn an_open_delivery_stays_on_record_until_it_is_settled_and_a_replayed_one_is_taken_once() {
        let database = database().await;
        let pool = PgPool::connect(database.url()).await.unwrap();
        crate::migrate(&pool).await.unwrap();
        let mut db = pool.acquire().await.unwrap();
        let webhook = WebhookId(Uuid::from_u128(1));
        let at = Some(DateTime::UNIX_EPOCH);
        let failed = |order, attempts| OpenDelivery {
            delivery: ended(order),
            attempts,
            first_at: at,
            next_at: at,
            error: Some("500".to_owned()),
        };
        record(&mut db, webhook, &[failed("1", 1), failed("2", 1)]).await.unwrap();
        record(&mut db, webhook, &[failed("2", 2)]).await.unwrap();
        assert_eq!(open(&mut db, webhook).await.unwrap(), [failed("1", 1), failed("2", 2)]);
        add_new(&mut db, webhook, &[ended("2"), ended("3"), ended("4")]).await.unwrap();
        assert_eq!(new_ones(&pool, webhook).await.unwrap(), 2, "one of them is open");
        // Its end is another one than that of the delivery that is replayed.
        settle(&mut db, webhook, &ended("3")).await.unwrap();
        let taken = take_new(&mut db, webhook, 1).await.unwrap();
        assert_eq!(taken.iter().map(|open| open.delivery.order_id.as_str()).collect::<Vec<_>>(), ["3"]);
        assert_eq!(take_new(&mut db, webhook, 10).await.unwrap().len(), 1);
        settle(&mut db, webhook, &ended("3")).await.unwrap();
        assert_eq!(open(&mut db, webhook).await.unwrap().len(), 3);
        assert!(open(&mut db, WebhookId(Uuid::from_u128(2))).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn each_webhook_has_its_checkpoint() {
        let database = database().await;
        let pool = PgPool::connect(database.url()).await.unwrap();
        crate::migrate(&pool).await.unwrap();
        let mut db = pool.acquire().await.unwrap();
        let [a, b] = [1, 2].map(|id| WebhookId(Uuid::from_u128(id)));
        let at = |commit| Checkpoint { position: Position { commit, prepare: commit }, log: None, mark: None };
        for (webhook, to) in [(a, 1), (b, 2), (a, 3)] {
            move_checkpoint(&mut db, webhook, &at(to)).await.unwrap();
        }
        assert_eq!(checkpoint(&mut db, a).await.unwrap(), Some(at(3)));
        assert_eq!(checkpoint(&mut db, b).await.unwrap(), Some(at(2)));
        forget(&pool, a).await.unwrap();
        assert_eq!(checkpoint(&mut db, a).await.unwrap(), None);
        forget_all(&pool).await.unwrap();
        assert_eq!(checkpoint(&mut db, b).await.unwrap(), None);
    }
}
