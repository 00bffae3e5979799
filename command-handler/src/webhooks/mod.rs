//! Webhooks: systems of the shop are notified of what happens to orders.
//!
//! One instance delivers, the others stand by. For each webhook it follows the log from the
//! webhook's own checkpoint. The checkpoint passes an event once its notification is delivered,
//! given up, or on record as open. So the log is the queue: an endpoint that fails holds back
//! nothing but itself, and memory is bounded whatever it does.
//!
//! What an administrator does to a webhook is decided from its stream ([`Registry`]), by any
//! instance.

mod common;
mod deliverer;
mod dispatcher;
mod figures;
mod late;
mod notifications;
mod queue;
mod registry;
mod sender;

use std::time::Duration;

use event_store::EventStore;
use leader_consumer::LogAlarm;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use dispatcher::DispatcherOptions;
pub(crate) use figures::{METRICS, WebhookFigures};
pub(crate) use registry::{Changed, Registry, RegistryError};
pub use sender::WebhookSetup;
pub(crate) use sender::{Message, Sender, Tried, test_id};

/// The webhooks of a command handler.
#[derive(Clone)]
pub struct Webhooks {
    log: EventStore,
    pool: PgPool,
    sender: Sender,
    retries: Duration,
    base: String,
    figures: WebhookFigures,
}

impl Webhooks {
    /// With this setup. Orders are read at `base`.
    pub fn new(log: EventStore, pool: PgPool, setup: &WebhookSetup, base: &str) -> Result<Self, reqwest::Error> {
        let (sender, retries) = (Sender::new(setup)?, setup.retries);
        Ok(Self { log, pool, sender, retries, base: base.to_owned(), figures: WebhookFigures::default() })
    }

    /// Delivers notifications until `stop`. While another instance delivers it stands by; while log
    /// or database are down, it waits. `alarm` is raised while a checkpoint belongs to another log.
    pub async fn run(self, alarm: LogAlarm, stop: CancellationToken) {
        let Self { log, pool, sender, retries, base, figures } = self;
        dispatcher::run(log, pool, DispatcherOptions { base, sender, retries, alarm, figures }, stop).await;
    }

    pub(crate) fn registry(&self) -> Registry {
        Registry::new(self.log.clone(), self.pool.clone())
    }

    pub(crate) fn sender(&self) -> &Sender {
        &self.sender
    }

    pub(crate) fn figures(&self) -> WebhookFigures {
        self.figures.clone()
    }
}
