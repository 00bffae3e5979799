//! The events of a webhook's life. The secret that signs its notifications is in none of them.

use serde::{Deserialize, Serialize};

use super::{Settings, Topic};
use crate::Timestamp;
use crate::ids::OrderId;

/// A fact in the life of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each struct says it")]
pub enum Event {
    WebhookCreated(WebhookCreated),
    WebhookChanged(WebhookChanged),
    WebhookDisabled(WebhookDisabled),
    WebhookEnabled(WebhookEnabled),
    WebhookDeleted(WebhookDeleted),
    WebhookSecretRotated(WebhookSecretRotated),
    DeliveryGivenUp(DeliveryGivenUp),
    DeliveryReplayed(DeliveryReplayed),
    OrderFoundLate(OrderFoundLate),
}

/// A webhook was created: its first event. It is notified of what the log has after this event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookCreated {
    /// What was chosen.
    #[serde(flatten)]
    pub settings: Settings,
    /// When it was decided.
    pub at: Timestamp,
}

/// An administrator chose something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookChanged {
    /// All that is chosen now.
    #[serde(flatten)]
    pub settings: Settings,
    /// When it was decided.
    pub at: Timestamp,
}

/// Nothing is sent any more, until the webhook is enabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookDisabled {
    /// The reason, for people.
    pub because: String,
    /// When it was decided.
    pub at: Timestamp,
}

/// Notifications are sent again, from the one on that was due when the webhook was disabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookEnabled {
    /// When it was decided.
    pub at: Timestamp,
}

/// The webhook exists no more. Its last event, apart from deliveries that are given up at the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookDeleted {
    /// When it was decided.
    pub at: Timestamp,
}

/// Notifications are signed with a new secret, and for some time also with the earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSecretRotated {
    /// Until when the earlier secret signs, too.
    pub earlier_until: Timestamp,
    /// When it was decided.
    pub at: Timestamp,
}

/// A notification of one order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The order.
    pub order_id: OrderId,
    /// The event in the order's stream.
    pub revision: u64,
    /// What the webhook is notified of.
    #[serde(rename = "type")]
    pub topic: Topic,
}

/// A notification could not be delivered, and is not tried again unless it is replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryGivenUp {
    /// The notification.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// The number of attempts.
    pub attempts: u32,
    /// The last error, for people.
    pub error: String,
    /// When it was decided.
    pub at: Timestamp,
}

/// An administrator has a notification that was given up sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryReplayed {
    /// The notification.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// When it was decided.
    pub at: Timestamp,
}

/// An order has passed its expected end, and the webhook is notified of it, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderFoundLate {
    /// The order.
    pub order_id: OrderId,
    /// The order's last event: what was expected follows from it, and from what was before.
    pub revision: u64,
    /// When the order was expected to end.
    pub expected_at: Timestamp,
    /// When it was found late.
    pub at: Timestamp,
}

impl OrderFoundLate {
    /// The notification that follows.
    pub fn delivery(&self) -> Delivery {
        Delivery { order_id: self.order_id.clone(), revision: self.revision, topic: Topic::Late }
    }
}

impl Event {
    /// The name in the log.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::WebhookCreated(_) => "WebhookCreated",
            Self::WebhookChanged(_) => "WebhookChanged",
            Self::WebhookDisabled(_) => "WebhookDisabled",
            Self::WebhookEnabled(_) => "WebhookEnabled",
            Self::WebhookDeleted(_) => "WebhookDeleted",
            Self::WebhookSecretRotated(_) => "WebhookSecretRotated",
            Self::DeliveryGivenUp(_) => "DeliveryGivenUp",
            Self::DeliveryReplayed(_) => "DeliveryReplayed",
            Self::OrderFoundLate(_) => "OrderFoundLate",
        }
    }
}
