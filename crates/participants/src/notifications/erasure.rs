//! Deletes mails when their personal data are erased.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::OrderId;
use domain::wire::erasures::{ERASURES, PersonalDataErased, decode_erasure};
use event_store::{EventStore, Filter, RecordedEvent};
use leader_consumer::{CheckpointRow, FollowOptions, Reader, checkpoint_in, follow};
use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::options::REMEDY;
use crate::participant::Context;

const CHECKPOINT: CheckpointRow = checkpoint_in!("participant_notifications.request_checkpoints", "erasures");
const LOCK: i64 = 0x7465_6e75_746f_0014;
/// The pause before a retry.
const BACK_OFF: Duration = Duration::from_secs(1);

/// Deletes the mails of orders whose personal data were erased, until `stop`.
pub(crate) async fn run_erasures(context: &Context, log: &EventStore, stop: CancellationToken) {
    let pool = context.pool.clone();
    let alarm = (context.options.alarm.clone(), REMEDY);
    let filter = Filter::StreamRegex(format!("^{ERASURES}$"));
    let options = FollowOptions::new("erasures of notifications", LOCK, CHECKPOINT, filter, alarm);
    follow(options, log.clone(), pool.clone(), Arc::new(Shredder { pool }), stop).await;
}

struct Shredder {
    pool: PgPool,
}

impl Reader for Shredder {
    fn lane(&self, _: &RecordedEvent) -> Option<String> {
        None
    }

    async fn handle(&self, event: RecordedEvent) {
        let erased = match decode_erasure(&event.event_type, &event.data, &event.metadata) {
            Ok(erased) => erased,
            Err(error) => {
                tracing::error!(revision = event.revision, %error, "an erasure cannot be read: mails may be left of it");
                return;
            }
        };
        while let Err(error) = self.delete(&erased).await {
            tracing::warn!(%error, "mails could not be deleted yet");
            sleep(BACK_OFF).await;
        }
    }
}

impl Shredder {
    async fn delete(&self, PersonalDataErased { orders, .. }: &PersonalDataErased) -> Result<(), sqlx::Error> {
        let orders: Vec<&str> = orders.iter().map(OrderId::as_str).collect();
        sqlx::query("DELETE FROM participant_notifications.mails WHERE order_id = ANY($1)")
            .bind(orders)
            .execute(&self.pool)
            .await
            .map(drop)
    }
}
