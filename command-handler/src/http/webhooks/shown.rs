//! Webhooks, their secrets and their dead letters as answers.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::Timestamp;
use domain::webhook::{Settings, Standing, Topic, Webhook, WebhookId};
use serde::Serialize;
use views::webhooks::{DeadLetter, KnownWebhook};

use crate::webhooks::{Changed, Tried};

/// A webhook. Its secret is not shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    id: String,
    url: String,
    events: BTreeSet<Topic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    placed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_because: Option<String>,
    created_at: Timestamp,
    secret_made_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    earlier_secret_until: Option<Timestamp>,
    /// Of the event that has changed it. A decimal number, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct WebhookList {
    pub webhooks: Vec<Shown>,
}

/// A new webhook, and its secret, which is shown only now.
#[derive(Debug, Serialize)]
pub(super) struct Made {
    pub secret: String,
    #[serde(flatten)]
    pub webhook: Shown,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rotated {
    pub secret: String,
    pub earlier_until: Timestamp,
}

/// What became of a message that only tries an endpoint.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tested {
    pub delivered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    pub took_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A page of dead letters.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Letters {
    pub dead_letters: Vec<Letter>,
    /// Where the next page begins; absent: this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Letter {
    message_id: String,
    order_id: String,
    revision: u64,
    #[serde(rename = "type")]
    topic: Topic,
    attempts: u32,
    error: String,
    given_up_at: Timestamp,
}

/// What was replayed.
#[derive(Debug, Serialize)]
pub(super) struct Replayed {
    pub replayed: usize,
    /// Whether more dead letters match.
    pub more: bool,
}

impl Shown {
    pub fn of(id: WebhookId, webhook: &Webhook) -> Self {
        let Webhook { settings, standing, created_at, secret_at, earlier_secret_until, .. } = webhook.clone();
        let Settings { url, events, workflow, placed_by, description } = settings;
        let disabled_because = match standing {
            Standing::Disabled(because) => Some(because),
            Standing::Enabled | Standing::Deleted => None,
        };
        Self {
            id: id.to_string(),
            url,
            events,
            workflow,
            placed_by,
            description,
            enabled: webhook.standing == Standing::Enabled,
            disabled_because,
            created_at,
            secret_made_at: secret_at,
            earlier_secret_until,
            position: None,
        }
    }

    pub fn changed(id: WebhookId, changed: &Changed) -> Self {
        let position = changed.position.map(|position| position.commit.to_string());
        Self { position, ..Self::of(id, &changed.webhook) }
    }
}

impl From<KnownWebhook> for Shown {
    fn from(known: KnownWebhook) -> Self {
        let standing = known.disabled_because.map_or(Standing::Enabled, Standing::Disabled);
        let webhook = Webhook {
            settings: known.settings,
            standing,
            created_at: known.created_at,
            enabled_at: known.enabled_at,
            secret_at: known.secret_at,
            earlier_secret_until: known.earlier_secret_until,
        };
        Self::of(known.id, &webhook)
    }
}

impl From<Tried> for Tested {
    fn from(Tried { status, took, error, .. }: Tried) -> Self {
        Self { delivered: error.is_none(), status, took_ms: milliseconds(took), error }
    }
}

impl Tested {
    /// No answer came in this time.
    pub fn silent(waited: Duration) -> Self {
        let error = format!("the endpoint did not answer within {waited:?}");
        Self { delivered: false, status: None, took_ms: milliseconds(waited), error: Some(error) }
    }
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

impl Letter {
    pub fn of(webhook: WebhookId, letter: &DeadLetter) -> Self {
        let DeadLetter { delivery, attempts, error, given_up_at, .. } = letter;
        Self {
            message_id: delivery.message_id(webhook),
            order_id: delivery.order_id.to_string(),
            revision: delivery.revision,
            topic: delivery.topic,
            attempts: *attempts,
            error: error.clone(),
            given_up_at: *given_up_at,
        }
    }
}
