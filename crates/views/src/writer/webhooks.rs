//! The views of webhooks: one statement for each of their few events. A row follows only a later
//! event than it has, so the same event, written again, changes nothing.

use domain::webhook::{
    Delivery, DeliveryGivenUp, DeliveryReplayed, Event, Settings, Topic, WebhookChanged, WebhookCreated,
    WebhookDeleted, WebhookDisabled, WebhookEnabled, WebhookId, WebhookSecretRotated,
};
use event_store::Position;
use sqlx::PgConnection;
use sqlx::postgres::PgArguments;

use crate::parked::storable;

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, PgArguments>;

/// An event of a webhook.
#[derive(Debug)]
pub struct WebhookChange {
    /// The webhook.
    pub id: WebhookId,
    /// The event.
    pub event: Event,
    /// Its revision.
    pub revision: u64,
    /// Its position.
    pub position: Position,
}

/// Writes events, in their order.
pub(super) async fn write(db: &mut PgConnection, changes: &[WebhookChange]) -> Result<(), sqlx::Error> {
    for change in changes {
        change.query().execute(&mut *db).await?;
    }
    Ok(())
}

impl WebhookChange {
    fn query(&self) -> Query<'_> {
        match &self.event {
            Event::WebhookCreated(WebhookCreated { settings, at }) => with_settings(
                self.of_webhook(
                    "INSERT INTO webhooks (id, revision, position, url, events, workflow, placed_by, description, state,
                         created_at, enabled_at, secret_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'ENABLED', $9, $9, $9) ON CONFLICT DO NOTHING",
                ),
                settings,
            )
            .bind(at),
            Event::WebhookChanged(WebhookChanged { settings, at: _ }) => with_settings(
                self.of_webhook(
                    "UPDATE webhooks SET revision = $2, position = $3, url = $4, events = $5, workflow = $6, placed_by = $7,
                         description = $8 WHERE id = $1 AND revision < $2",
                ),
                settings,
            ),
            Event::WebhookDisabled(WebhookDisabled { because, at: _ }) => self
                .of_webhook(
                    "UPDATE webhooks SET revision = $2, position = $3, state = 'DISABLED', disabled_because = $4
                     WHERE id = $1 AND revision < $2",
                )
                .bind(storable(because)),
            Event::WebhookEnabled(WebhookEnabled { at }) => self
                .of_webhook(
                    "UPDATE webhooks SET revision = $2, position = $3, state = 'ENABLED', disabled_because = NULL,
                         enabled_at = $4 WHERE id = $1 AND revision < $2",
                )
                .bind(at),
            Event::WebhookDeleted(WebhookDeleted { at: _ }) => self.of_webhook(
                "UPDATE webhooks SET revision = $2, position = $3, state = 'DELETED', disabled_because = NULL
                 WHERE id = $1 AND revision < $2",
            ),
            Event::WebhookSecretRotated(WebhookSecretRotated { earlier_until, at }) => self
                .of_webhook(
                    "UPDATE webhooks SET revision = $2, position = $3, secret_at = $4, earlier_secret_until = $5
                     WHERE id = $1 AND revision < $2",
                )
                .bind(at)
                .bind(earlier_until),
            Event::DeliveryGivenUp(DeliveryGivenUp { delivery, attempts, error, at }) => {
                let query = sqlx::query(
                    "INSERT INTO webhook_dead_letters AS known
                         (webhook_id, order_id, order_revision, type, position, attempts, error, given_up_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                     ON CONFLICT (webhook_id, order_id, order_revision, type) DO UPDATE
                     SET position = excluded.position, attempts = excluded.attempts, error = excluded.error,
                         given_up_at = excluded.given_up_at, replayed_at = NULL
                     WHERE known.position < excluded.position",
                );
                self.of_delivery(query, delivery).bind(attempts.cast_signed()).bind(storable(error)).bind(at)
            }
            Event::DeliveryReplayed(DeliveryReplayed { delivery, at }) => {
                let query = sqlx::query(
                    "UPDATE webhook_dead_letters SET position = $5, replayed_at = $6
                     WHERE webhook_id = $1 AND order_id = $2 AND order_revision = $3 AND type = $4 AND position < $5",
                );
                self.of_delivery(query, delivery).bind(at)
            }
            // It changes nothing that is shown; the row's place in the log moves.
            Event::OrderFoundLate(_) => {
                self.of_webhook("UPDATE webhooks SET revision = $2, position = $3 WHERE id = $1 AND revision < $2")
            }
        }
    }

    /// A statement on the webhook's row: `$1` is its id, `$2` the revision, `$3` the position.
    fn of_webhook(&self, statement: &'static str) -> Query<'_> {
        sqlx::query(statement).bind(self.id.to_string()).bind(self.revision.cast_signed()).bind(self.position())
    }

    /// The key of a dead letter, and the position.
    fn of_delivery<'q>(&self, query: Query<'q>, delivery: &Delivery) -> Query<'q> {
        query
            .bind(self.id.to_string())
            .bind(delivery.order_id.to_string())
            .bind(delivery.revision.cast_signed())
            .bind(delivery.topic.as_str())
            .bind(self.position())
    }

    fn position(&self) -> i64 {
        self.position.commit.cast_signed()
    }
}

fn with_settings<'q>(query: Query<'q>, settings: &Settings) -> Query<'q> {
    let events: Vec<&'static str> = settings.events.iter().copied().map(Topic::as_str).collect();
    let optional = |text: &Option<String>| text.as_deref().map(storable);
    query
        .bind(storable(&settings.url))
        .bind(events)
        .bind(optional(&settings.workflow))
        .bind(optional(&settings.placed_by))
        .bind(optional(&settings.description))
}
