//! The instance that delivers: it leads, and has a deliverer for each enabled webhook.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use domain::webhook::{Schedule, WebhookId};
use event_store::EventStore;
use leader_consumer::{Consequence, Interrupted, LogAlarm, OriginError, Term, Terms, acquire_leadership, lead};
use signing::webhook::WebhookSecret;
use sqlx::{Connection, PgPool};
use tokio::sync::{Mutex, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use views::webhooks::KnownWebhook;
use views::{webhook_secrets, webhooks};

use super::common::{Common, Interruption, Leading};
use super::deliverer::{End, Target, deliver};
use super::figures::WebhookFigures;
use super::notifications::Notifications;
use super::registry::Registry;
use super::sender::Sender;

/// Any number will do, as long as every command handler of a database takes the same.
const LOCK: i64 = 0x7465_6e75_746f_0003;
/// How often webhooks are read, and the leader shows the database that it is alive.
const EVERY: Duration = Duration::from_millis(500);
const STANDBY_POLL: Duration = Duration::from_millis(250);
/// How long the leader may be silent before Postgres releases its lock.
const SILENCE: Duration = Duration::from_secs(5);
const MAX_PAUSE: Duration = Duration::from_secs(5);
const NAME: &str = "the delivery of webhooks";
const REMEDY: &str = "connect the log that webhooks were notified of, or restore it whole; to continue with this log \
                      instead: tenuto rebuild --yes";

/// Settings of [`run`].
#[derive(Debug, Clone)]
pub(super) struct DispatcherOptions {
    /// Where orders are read.
    pub base: String,
    pub sender: Sender,
    pub retries: Duration,
    /// Raised while a checkpoint belongs to another log: nothing is sent then.
    pub alarm: LogAlarm,
    pub figures: WebhookFigures,
}

struct Dispatcher {
    log: EventStore,
    pool: PgPool,
    options: DispatcherOptions,
    stop: CancellationToken,
}

/// A deliverer that runs.
struct Running {
    target: watch::Sender<Arc<Target>>,
    stop: CancellationToken,
    task: Id,
}

type Tasks = JoinSet<Result<End, Interruption>>;

/// The deliverers of the instance that leads.
#[derive(Default)]
struct Deliverers {
    running: HashMap<WebhookId, Running>,
    /// Webhooks that were disabled here, with the time at which they had been enabled: the views
    /// show it a moment later.
    disabled: HashMap<WebhookId, Timestamp>,
    tasks: Tasks,
}

/// Delivers until told to stop. While another instance delivers it stands by; while log or database
/// are down, it waits.
pub(super) async fn run(log: EventStore, pool: PgPool, options: DispatcherOptions, stop: CancellationToken) {
    let alarm = options.alarm.clone();
    let terms = Terms { name: NAME, max_pause: MAX_PAUSE, alarm: &alarm, remedy: REMEDY };
    let dispatcher = Dispatcher { log, pool, options, stop: stop.clone() };
    if let Err(interruption) = lead(terms, dispatcher, &stop).await {
        warn!(%interruption, "webhooks are not delivered any more");
    }
}

impl Interrupted for Interruption {
    fn consequence(&self) -> Consequence {
        match self {
            Self::Origin(OriginError::Mismatch(mismatch)) => Consequence::WrongLog(mismatch.to_string()),
            Self::Reconnected => Consequence::Again,
            Self::Database(_)
            | Self::Origin(OriginError::Log(_))
            | Self::Log(_)
            | Self::Registry(_)
            | Self::Request(_)
            | Self::NoBeginning => Consequence::Pause,
        }
    }
}

impl Term for Dispatcher {
    type Interruption = Interruption;

    async fn lead(&mut self) -> Result<(), Interruption> {
        let db = tokio::select! {
            () = self.stop.cancelled() => return Ok(()),
            db = acquire_leadership(&self.pool, LOCK, STANDBY_POLL, SILENCE) => db?,
        };
        info!("this instance delivers the notifications of webhooks");
        let leading = Arc::new(Mutex::new(db));
        let mut deliverers = Deliverers::default();
        let led = self.deliver_all(&leading, &mut deliverers).await;
        deliverers.stop(led.is_ok()).await;
        if let Some(db) = Arc::into_inner(leading)
            && let Err(error) = db.into_inner().close().await
        {
            debug!(%error, "the connection of the delivery of webhooks did not close cleanly");
        }
        led
    }
}

impl Dispatcher {
    async fn deliver_all(&self, leading: &Leading, deliverers: &mut Deliverers) -> Result<(), Interruption> {
        let common = self.common(leading);
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                Some(ended) = deliverers.tasks.join_next_with_id() => deliverers.ended(ended)?,
                _ = ticks.tick() => {
                    leading.lock().await.ping().await?;
                    match self.wanted().await {
                        Ok(wanted) => deliverers.adjust(wanted, &common),
                        Err(error) => warn!(%error, "the webhooks cannot be read; their deliveries go on"),
                    }
                }
            }
        }
    }

    fn common(&self, leading: &Leading) -> Common {
        let DispatcherOptions { base, sender, retries, figures, .. } = &self.options;
        Common {
            log: self.log.clone(),
            leading: leading.clone(),
            registry: Registry::new(self.log.clone(), self.pool.clone()),
            notifications: Notifications::new(self.log.clone(), base),
            sender: sender.clone(),
            schedule: Schedule::new(*retries),
            figures: figures.clone(),
        }
    }

    /// The enabled webhooks that have a secret.
    async fn wanted(&self) -> Result<HashMap<WebhookId, Arc<Target>>, sqlx::Error> {
        let (known, mut secrets) = (webhooks::all(&self.pool).await?, webhook_secrets::current(&self.pool).await?);
        let enabled = known.into_iter().filter(|webhook| webhook.disabled_because.is_none());
        let wanted = enabled.filter_map(|KnownWebhook { id, settings, enabled_at, .. }| {
            let Some(secret_bytes) = secrets.remove(&id) else {
                warn!(webhook = %id, "a webhook has no secret here, so nothing is sent; rotate its secret");
                return None;
            };
            let secrets = secret_bytes.iter().filter_map(|bytes| WebhookSecret::of(bytes).ok()).collect();
            Some((id, Arc::new(Target { settings, secrets, secret_bytes, enabled_at })))
        });
        Ok(wanted.collect())
    }
}

impl Deliverers {
    /// Starts and stops deliverers, and tells the others what has changed.
    fn adjust(&mut self, mut wanted: HashMap<WebhookId, Arc<Target>>, common: &Common) {
        self.disabled.retain(|id, enabled_at| wanted.get(id).is_some_and(|target| target.enabled_at == *enabled_at));
        wanted.retain(|id, _| !self.disabled.contains_key(id));
        for (id, deliverer) in &self.running {
            match wanted.remove(id) {
                None => deliverer.stop.cancel(),
                Some(target) => {
                    deliverer.target.send_if_modified(|known| {
                        let is_other = *known != target;
                        *known = target;
                        is_other
                    });
                }
            }
        }
        for (id, target) in wanted {
            let (target, receiver) = watch::channel(target);
            let stop = CancellationToken::new();
            let task = self.tasks.spawn(deliver(id, common.clone(), receiver, stop.clone())).id();
            self.running.insert(id, Running { target, stop, task });
        }
    }

    /// A deliverer that was interrupted begins again with the next tick, unless the leadership is
    /// at stake.
    fn ended(&mut self, ended: Result<(Id, Result<End, Interruption>), JoinError>) -> Result<(), Interruption> {
        let (task, result) = match ended {
            Ok((task, result)) => (task, result),
            Err(error) => (error.id(), Err(Interruption::Request(error))),
        };
        let found = self.running.iter().find(|(_, deliverer)| deliverer.task == task).map(|(id, _)| *id);
        let ended = found.and_then(|id| Some((id, self.running.remove(&id)?)));
        match result {
            Ok(End::Stopped) => {}
            Ok(End::Disabled) => {
                self.disabled.extend(ended.map(|(id, deliverer)| (id, deliverer.target.borrow().enabled_at)));
            }
            Err(error @ (Interruption::Database(_) | Interruption::Origin(OriginError::Mismatch(_)))) => {
                return Err(error);
            }
            Err(interruption) => {
                warn!(%interruption, "the delivery of a webhook was interrupted, and begins again");
            }
        }
        Ok(())
    }

    /// Ends all deliverers; if there is time, after their requests.
    async fn stop(mut self, in_time: bool) {
        for deliverer in self.running.values() {
            deliverer.stop.cancel();
        }
        while in_time && self.tasks.join_next().await.is_some() {}
        self.tasks.shutdown().await;
    }
}
