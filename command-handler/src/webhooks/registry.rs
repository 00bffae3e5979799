//! Webhooks in the log: one stream for each.

use std::time::Duration;

use chrono::TimeDelta;
use domain::Timestamp;
use domain::webhook::{Command, Delivery, Event, OrderFoundLate, Refusal, Webhook, WebhookId, decide, evolve};
use domain::wire::WireError;
use domain::wire::webhooks::{decode_webhook, encode_webhook};
use event_store::{AppendError, EventStore, Expected, Position, ReadError, RecordedEvent};
use rand::RngCore;
use sqlx::PgPool;
use views::webhook_secrets;

use crate::clock::{Clock, SystemClock};
use crate::participants::event;

const PAGE: usize = 500;
/// How often a command is decided again that another instance was faster than.
const MAX_CONFLICTS: usize = 10;

/// Reads webhooks, and decides what is done to them.
#[derive(Clone)]
pub(crate) struct Registry {
    log: EventStore,
    pool: PgPool,
}

/// A webhook after a command.
#[derive(Debug, Clone)]
pub(crate) struct Changed {
    pub webhook: Webhook,
    /// The position of the last event that the command has added; `None`: it has added none.
    pub position: Option<Position>,
}

/// Why a command is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistryError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Encode(#[from] serde_json::Error),
    #[error("Postgres failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error("others change the webhook at the same time")]
    Contended,
}

impl Registry {
    pub fn new(log: EventStore, pool: PgPool) -> Self {
        Self { log, pool }
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A webhook that exists, as the log has it.
    pub async fn get(&self, id: WebhookId) -> Result<Webhook, RegistryError> {
        let (webhook, _) = self.read(id).await?;
        let exists = |webhook: &Webhook| webhook.standing != domain::webhook::Standing::Deleted;
        webhook.filter(exists).ok_or(RegistryError::Refused(Refusal::Unknown))
    }

    async fn read(&self, id: WebhookId) -> Result<(Option<Webhook>, u64), RegistryError> {
        let (mut webhook, mut next) = (None, 0);
        let fold = |event, recorded: &RecordedEvent| {
            webhook = evolve(webhook.take(), &event);
            next = recorded.revision + 1;
            None::<()>
        };
        self.find(id, fold).await?;
        Ok((webhook, next))
    }

    /// What found an order late, and its position.
    pub async fn found_late(
        &self,
        id: WebhookId,
        delivery: &Delivery,
    ) -> Result<Option<(OrderFoundLate, Position)>, RegistryError> {
        let look = |event, recorded: &RecordedEvent| {
            let Event::OrderFoundLate(found) = event else { return None };
            (found.delivery() == *delivery).then_some((found, recorded.position))
        };
        self.find(id, look).await
    }

    /// Shows `look` the events of a webhook, until it has found something.
    async fn find<T>(
        &self,
        id: WebhookId,
        mut look: impl FnMut(Event, &RecordedEvent) -> Option<T>,
    ) -> Result<Option<T>, RegistryError> {
        let (stream, mut next) = (id.stream(), 0);
        loop {
            let page = self.log.read_stream(&stream, next, PAGE).await?;
            for recorded in &page {
                let event = decode_webhook(&recorded.event_type, &recorded.data, &recorded.metadata)?;
                next = recorded.revision + 1;
                if let Some(found) = look(event, recorded) {
                    return Ok(Some(found));
                }
            }
            if page.len() < PAGE {
                return Ok(None);
            }
        }
    }

    /// Decides a command, and appends its events.
    pub async fn command(
        &self,
        id: WebhookId,
        command: Command,
        actor: Option<&str>,
    ) -> Result<Changed, RegistryError> {
        for _ in 0..MAX_CONFLICTS {
            let (before, next) = self.read(id).await?;
            let events = decide(before.as_ref(), command.clone(), SystemClock.now().at)?;
            let after = events.iter().fold(before, evolve);
            let webhook = after.ok_or(Refusal::Unknown)?;
            if events.is_empty() {
                return Ok(Changed { webhook, position: None });
            }
            let expected = next.checked_sub(1).map_or(Expected::NoStream, Expected::Revision);
            match self.append(id, expected, &events, actor).await {
                Ok(position) => return Ok(Changed { webhook, position: Some(position) }),
                Err(RegistryError::Append(AppendError::WrongExpectedRevision { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Contended)
    }

    /// Records an event that needs no decision.
    pub async fn record(&self, id: WebhookId, recorded: &Event) -> Result<(), RegistryError> {
        self.append(id, Expected::Any, std::slice::from_ref(recorded), None).await.map(drop)
    }

    async fn append(
        &self,
        id: WebhookId,
        expected: Expected,
        events: &[Event],
        actor: Option<&str>,
    ) -> Result<Position, RegistryError> {
        let encode = |one: &Event| encode_webhook(one, SystemClock.id(), actor).map(event);
        let events = events.iter().map(encode).collect::<Result<_, _>>()?;
        Ok(self.log.append(&id.stream(), expected, events).await?.position)
    }

    /// Makes a secret of a webhook. The earlier one signs for so long, too. Returns the secret, and
    /// until when the earlier one signs.
    pub async fn new_secret(
        &self,
        id: WebhookId,
        earlier_for: Duration,
    ) -> Result<([u8; webhook_secrets::LENGTH], Timestamp), RegistryError> {
        let mut secret = [0; webhook_secrets::LENGTH];
        rand::rng().fill_bytes(&mut secret);
        let until = SystemClock.now().at + TimeDelta::from_std(earlier_for).unwrap_or(TimeDelta::zero());
        webhook_secrets::rotate(&self.pool, id, &secret, until).await?;
        Ok((secret, until))
    }
}
