//! The webhooks of the shop's systems, read only.

use async_graphql::{ComplexObject, Context, ID, Result, SimpleObject};
use chrono::{DateTime, Utc};
use domain::webhook::WebhookId;
use views::Store;
use views::webhooks::{self, KnownWebhook, Letters};

use super::Position;
use crate::code::ErrorCode;
use crate::error::QueryError;

/// How many dead letters a list has, by default and at most.
const USUAL: i32 = 50;
const MAX: i32 = 500;

/// The number of dead letters that is asked for is not allowed.
#[derive(Debug, thiserror::Error)]
#[error("`first` must be a number from 1 to {MAX}, found {0}")]
struct BadFirst(i32);

/// A system of the shop that is notified of what happens to orders. It is managed at `/webhooks`.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Webhook {
    id: ID,
    url: String,
    /// The types of notifications that it gets.
    events: Vec<String>,
    /// Only orders of this workflow; null: of each.
    workflow: Option<String>,
    /// Only orders that this principal placed; null: of each.
    placed_by: Option<String>,
    description: Option<String>,
    /// Why nothing is sent; null: it is enabled.
    disabled_because: Option<String>,
    created_at: DateTime<Utc>,
    /// When it was enabled last.
    enabled_at: DateTime<Utc>,
    /// When its secret was made. The secret itself is shown once, when it is made.
    secret_made_at: DateTime<Utc>,
    #[graphql(skip)]
    key: WebhookId,
}

/// A notification that was given up, and not replayed since.
#[derive(SimpleObject)]
pub struct DeadLetter {
    /// The id of the message, as in `webhook-id`.
    message_id: ID,
    order_id: ID,
    /// The event in the order's stream.
    revision: u64,
    #[graphql(name = "type")]
    topic: String,
    attempts: u32,
    /// The last error.
    error: String,
    given_up_at: DateTime<Utc>,
    /// Its place in the list, for `after`.
    position: Position,
}

#[ComplexObject]
impl Webhook {
    /// The notifications that were given up, and not replayed since, in the order in which they
    /// were given up: at most 500, after the one at the position `after`.
    #[graphql(complexity = "usize::try_from(first.clamp(1, MAX)).unwrap_or(1) * child_complexity")]
    async fn dead_letters(
        &self,
        context: &Context<'_>,
        #[graphql(default_with = "USUAL")] first: i32,
        after: Option<Position>,
    ) -> Result<Vec<DeadLetter>> {
        let Some(most) = usize::try_from(first).ok().filter(|_| (1..=MAX).contains(&first)) else {
            return Err(ErrorCode::BadUserInput.error(&BadFirst(first)));
        };
        // No event is at a position beyond those of a row.
        let after = after.map(|after| i64::try_from(after.0).unwrap_or(i64::MAX));
        let which = Letters { after, ..Letters::default() };
        let letters = context.data::<Store>()?.dead_letters(self.key, &which, most).await;
        let letters = letters.map_err(QueryError::from)?.into_iter();
        Ok(letters.map(|letter| shown(self.key, letter)).collect())
    }
}

/// All webhooks.
pub async fn list(store: &Store) -> Result<Vec<Webhook>> {
    Ok(store.webhooks().await.map_err(QueryError::from)?.into_iter().map(Webhook::from).collect())
}

impl From<KnownWebhook> for Webhook {
    fn from(known: KnownWebhook) -> Self {
        let KnownWebhook { id, settings, disabled_because, created_at, enabled_at, secret_at, earlier_secret_until: _ } =
            known;
        Self {
            id: id.to_string().into(),
            url: settings.url,
            events: settings.events.iter().map(ToString::to_string).collect(),
            workflow: settings.workflow,
            placed_by: settings.placed_by,
            description: settings.description,
            disabled_because,
            created_at,
            enabled_at,
            secret_made_at: secret_at,
            key: id,
        }
    }
}

fn shown(webhook: WebhookId, letter: webhooks::DeadLetter) -> DeadLetter {
    let webhooks::DeadLetter { delivery, attempts, error, given_up_at, position } = letter;
    DeadLetter {
        message_id: delivery.message_id(webhook).into(),
        order_id: delivery.order_id.to_string().into(),
        revision: delivery.revision,
        topic: delivery.topic.to_string(),
        attempts,
        error,
        given_up_at,
        position: Position(position.cast_unsigned()),
    }
}
