//! What the deliverers of all webhooks share, and why one of them may end early.

use std::sync::Arc;

use domain::webhook::Schedule;
use event_store::{EventStore, ReadError};
use leader_consumer::OriginError;
use sqlx::PgConnection;
use tokio::sync::Mutex;
use tokio::task::JoinError;

use super::figures::WebhookFigures;
use super::notifications::Notifications;
use super::registry::{Registry, RegistryError};
use super::sender::Sender;

/// The connection that holds the leadership: an instance that loses it cannot move a checkpoint.
pub(super) type Leading = Arc<Mutex<PgConnection>>;

/// What a deliverer shares with those of other webhooks.
#[derive(Clone)]
pub(super) struct Common {
    pub log: EventStore,
    pub leading: Leading,
    pub registry: Registry,
    pub notifications: Notifications,
    pub sender: Sender,
    pub schedule: Schedule,
    pub figures: WebhookFigures,
}

/// Why a deliverer ended. Another one begins at the checkpoint.
#[derive(Debug, thiserror::Error)]
pub(super) enum Interruption {
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Origin(#[from] OriginError),
    #[error("the log cannot be read: {0}")]
    Log(#[from] ReadError),
    #[error("what became of a delivery cannot be recorded: {0}")]
    Registry(#[from] RegistryError),
    #[error("a request panicked: {0}")]
    Request(#[from] JoinError),
    #[error("the webhook has no first event in the log")]
    NoBeginning,
    #[error("the connection to the log was replaced, and the checkpoint is compared with the log")]
    Reconnected,
}
