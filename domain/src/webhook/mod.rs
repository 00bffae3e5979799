//! Webhooks: systems of the shop are notified of what happens to orders.
//!
//! A webhook is an endpoint, and which notifications it gets. It is a small decider ([`decide`],
//! [`evolve`]) over the events of its stream. [`Notification::of`] is what an event of an order
//! means for webhooks. [`Schedule`] says when a failed delivery is tried again, and when it is
//! given up.

mod decide;
mod endpoint;
mod event;
mod notification;
mod schedule;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::decide::{Command, Refusal, Standing, Webhook, decide, evolve};
pub use self::endpoint::check_url;
pub use self::event::{
    Delivery, DeliveryGivenUp, DeliveryReplayed, Event, OrderFoundLate, WebhookChanged, WebhookCreated, WebhookDeleted,
    WebhookDisabled, WebhookEnabled, WebhookSecretRotated,
};
pub use self::notification::{Notification, TEST_TYPE, test_payload};
pub use self::schedule::Schedule;
use crate::streams::WEBHOOK_STREAM_PREFIX;

/// The id of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WebhookId(pub Uuid);

/// What a webhook is notified of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Topic {
    /// An order was placed.
    Placed,
    /// The business status of an order changed.
    StatusChanged,
    /// An order ended: it is completed, or canceled.
    Ended,
    /// An order is stuck, and needs an operator.
    Stuck,
    /// A step of an order waits for a person.
    ApprovalWanted,
    /// An order takes longer than expected. No event of the order says so.
    Late,
}

/// A text that is not a topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an event type: they are {all}", all = Topic::ALL.map(Topic::as_str).join(", "))]
pub struct UnknownTopic(String);

/// What an administrator chooses of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Where notifications are sent.
    pub url: String,
    /// What it is notified of.
    pub events: BTreeSet<Topic>,
    /// Only orders of this workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Only orders that this principal placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_by: Option<String>,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl WebhookId {
    /// The stream of its events.
    pub fn stream(self) -> String {
        format!("{WEBHOOK_STREAM_PREFIX}{}", self.0)
    }

    /// The webhook of a stream, if it is one's.
    pub fn from_stream(stream: &str) -> Option<Self> {
        stream.strip_prefix(WEBHOOK_STREAM_PREFIX)?.parse().ok()
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for WebhookId {
    type Err = ();

    /// Reads an id in the one form in which it is shown.
    fn from_str(text: &str) -> Result<Self, ()> {
        let id = Uuid::parse_str(text).map_err(|_| ())?;
        if id.to_string() == text { Ok(Self(id)) } else { Err(()) }
    }
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 6] =
        [Self::Placed, Self::StatusChanged, Self::Ended, Self::Stuck, Self::ApprovalWanted, Self::Late];

    /// Its name: the type of a notification.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "order.placed",
            Self::StatusChanged => "order.status_changed",
            Self::Ended => "order.ended",
            Self::Stuck => "order.stuck",
            Self::ApprovalWanted => "order.approval_wanted",
            Self::Late => "order.late",
        }
    }
}

impl FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(text: &str) -> Result<Self, UnknownTopic> {
        Self::ALL
            .into_iter()
            .find(|topic| topic.as_str() == text)
            .ok_or_else(|| UnknownTopic(text.chars().take(100).collect()))
    }
}

impl TryFrom<String> for Topic {
    type Error = UnknownTopic;

    fn try_from(text: String) -> Result<Self, UnknownTopic> {
        text.parse()
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> Self {
        topic.as_str().to_owned()
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
