//! Delivers the notifications of one webhook: reads the log from the webhook's checkpoint, sends
//! what the queue says, and keeps a record of what is open.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use domain::Timestamp;
use domain::ids::OrderId;
use domain::webhook::{Command, Delivery, DeliveryGivenUp, Event, Settings, WebhookId};
use event_store::{EventStore, Filter, Position, RecordedEvent, Subscription, SubscriptionItem};
use leader_consumer::{Checkpoint, Number, Window, verify};
use rand::random;
use signing::webhook::WebhookSecret;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;
use views::webhook_deliveries::{self, OpenDelivery};

use super::common::{Common, Interruption};
use super::figures::Standing;
use super::late;
use super::notifications::Letter;
use super::queue::{Answer, Ended, Entry, Outcome, Queue};
use super::sender::{GONE, Message};
use crate::clock::{Clock, SystemClock};

/// How often the checkpoint is written while it moves.
const PACE: Duration = Duration::from_millis(200);
/// How often replays and late orders are looked for.
const REPLAYS_EVERY: Duration = Duration::from_secs(1);
/// The most events between the checkpoint and the last one that was read.
const MAX_WINDOW: usize = 4_096;
/// How long requests may take to end after a stop. The next leader sends the others again.
const LEAVING: Duration = Duration::from_secs(2);
/// Why a webhook is disabled that takes nothing.
const FAILED_FOR_LONG: &str = "no notification was delivered for as long as one is tried again";

/// Where notifications go now, and which.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub settings: Settings,
    pub secrets: Vec<WebhookSecret>,
    /// The bytes of the secrets: to notice another one.
    pub secret_bytes: Vec<Vec<u8>>,
    pub enabled_at: Timestamp,
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        let Self { settings, secrets: _, secret_bytes, enabled_at } = self;
        (settings, secret_bytes, enabled_at) == (&other.settings, &other.secret_bytes, &other.enabled_at)
    }
}

/// The deliverer of a webhook.
pub(super) struct Deliverer {
    webhook: WebhookId,
    common: Common,
    target: watch::Receiver<Arc<Target>>,
    queue: Queue,
    window: Window,
    subscription: Subscription,
    in_flight: JoinSet<(OrderId, Answer)>,
    log_id: Uuid,
    /// The checkpoint in the database, and when it was written.
    written: Option<Position>,
    written_at: Instant,
    /// When the figures were last shown.
    shown_at: Option<Instant>,
}

/// Why a deliverer has ended as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It was told to.
    Stopped,
    /// The webhook is disabled.
    Disabled,
}

/// Delivers until `stop`, or until the webhook is disabled.
pub(super) async fn deliver(
    webhook: WebhookId,
    common: Common,
    target: watch::Receiver<Arc<Target>>,
    stop: CancellationToken,
) -> Result<End, Interruption> {
    let mut deliverer = Deliverer::begin(webhook, common, target).await?;
    let end = deliverer.run(&stop).await?;
    deliverer.leave().await?;
    Ok(end)
}

impl Deliverer {
    async fn begin(
        webhook: WebhookId,
        common: Common,
        mut target: watch::Receiver<Arc<Target>>,
    ) -> Result<Self, Interruption> {
        let (checkpoint, open) = {
            let mut db = common.leading.lock().await;
            let checkpoint = webhook_deliveries::checkpoint(&mut db, webhook).await?;
            (checkpoint, webhook_deliveries::open(&mut db, webhook).await?)
        };
        let log_id = verify(&common.log, checkpoint.as_ref()).await?;
        let written = checkpoint.map(|checkpoint| checkpoint.position);
        let from = match written {
            Some(position) => position,
            None => beginning(&common.log, webhook).await?,
        };
        info!(%webhook, from = from.commit, open = open.len(), "notifications are delivered");
        let filter = Filter::StreamPrefixes(vec![domain::stream_prefix::get().to_owned(), webhook.stream()]);
        let subscription = common.log.subscribe_all(filter, Some(from));
        let queue = Queue::new(common.schedule, Utc::now());
        target.mark_unchanged();
        let mut deliverer = Self {
            webhook,
            common,
            target,
            queue,
            window: Window::from(Some(from), checkpoint.and_then(|checkpoint| checkpoint.mark)),
            subscription,
            in_flight: JoinSet::new(),
            log_id,
            written,
            written_at: Instant::now(),
            shown_at: None,
        };
        deliverer.resume(open).await?;
        Ok(deliverer)
    }

    async fn run(&mut self, stop: &CancellationToken) -> Result<End, Interruption> {
        let mut replays_at = Instant::now();
        loop {
            self.send_due();
            self.show();
            let has_room = self.queue.room() > 0 && self.window.len() < MAX_WINDOW;
            let (next, flush_at) = (self.queue.earliest(), self.written_at + PACE);
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(End::Stopped),
                Some(ended) = self.in_flight.join_next() => {
                    let (order, answer) = ended?;
                    if self.ended(&order, answer).await? {
                        return Ok(End::Disabled);
                    }
                }
                () = sleep_until(flush_at), if self.window.through() != self.written => self.move_checkpoint().await?,
                () = sleep_until(replays_at) => {
                    self.take_replays().await?;
                    late::record(&self.common, self.webhook).await?;
                    replays_at = Instant::now() + REPLAYS_EVERY;
                }
                () = until(next) => {}
                Ok(()) = self.target.changed() => self.retarget(),
                item = self.subscription.next(), if has_room => self.take(item).await?,
            }
            if self.window.len() >= MAX_WINDOW {
                self.record_waiting().await?;
            }
        }
    }

    /// Adds deliveries that are on record.
    async fn resume(&mut self, open: Vec<OpenDelivery>) -> Result<(), Interruption> {
        let enabled_at = self.target.borrow().enabled_at;
        for mut open in open {
            if self.queue.has(&open.delivery) {
                continue;
            }
            let Some(Letter { body, since, .. }) = late::again(&self.common, self.webhook, &open.delivery).await?
            else {
                warn!(webhook = %self.webhook, order = %open.delivery.order_id, "an open notification is not in the log");
                self.settle(&open.delivery).await?;
                continue;
            };
            // Enabled again, a webhook has all its time again.
            if open.first_at.is_some_and(|first| first < enabled_at) {
                (open.attempts, open.first_at) = (0, None);
            }
            // It is due: this instance does not know how the endpoint stands.
            open.next_at = None;
            self.queue.push(Entry { open, body, since, number: None }, Utc::now());
        }
        Ok(())
    }

    async fn take_replays(&mut self) -> Result<(), Interruption> {
        let room = self.queue.room();
        let new = {
            let mut db = self.common.leading.lock().await;
            webhook_deliveries::take_new(&mut db, self.webhook, room).await?
        };
        self.resume(new).await
    }

    fn retarget(&mut self) {
        let _ = self.target.borrow_and_update();
        self.queue.redirected(Utc::now());
    }

    async fn take(&mut self, item: SubscriptionItem) -> Result<(), Interruption> {
        match item {
            SubscriptionItem::Event(event) => self.read(&event).await?,
            SubscriptionItem::Checkpoint(position) => self.window.pass(position),
            SubscriptionItem::CaughtUp => {}
            SubscriptionItem::Resumed => return Err(Interruption::Reconnected),
        }
        Ok(())
    }

    async fn read(&mut self, event: &RecordedEvent) -> Result<(), Interruption> {
        let target = self.target.borrow().clone();
        let letter = if event.stream == self.webhook.stream() {
            late::letter(&self.common, event, &target.settings).await?
        } else {
            self.common.notifications.of(event, &target.settings).await?
        };
        let letter = letter.filter(|letter| !self.queue.has(&letter.delivery));
        let Some(Letter { delivery, body, since }) = letter else {
            self.window.pass(event.position);
            return Ok(());
        };
        let number = Some(self.window.begin(event.position, event.id));
        let open = OpenDelivery { delivery, attempts: 0, first_at: None, next_at: None, error: None };
        self.queue.push(Entry { open, body, since, number }, Utc::now());
        Ok(())
    }

    fn send_due(&mut self) {
        while let Some((delivery, body)) = self.queue.begin(SystemClock.now().at) {
            let target = self.target.borrow().clone();
            let (webhook, sender, figures) = (self.webhook, self.common.sender.clone(), self.common.figures.clone());
            self.in_flight.spawn(async move {
                let id = delivery.message_id(webhook);
                let message = Message { url: &target.settings.url, id: &id, body, secrets: &target.secrets };
                let tried = sender.send(message).await;
                figures.attempted(webhook, tried.result());
                (delivery.order_id, tried.into_answer())
            });
        }
    }

    /// Returns whether the webhook is disabled now.
    async fn ended(&mut self, order: &OrderId, answer: Answer) -> Result<bool, Interruption> {
        let Some(ended) = self.queue.ended(order, answer, SystemClock.now().at, random()) else { return Ok(false) };
        let Ended { delivery, number, outcome } = ended;
        match outcome {
            Outcome::Delivered => {
                self.end(&delivery, number).await?;
                self.common.figures.ended(self.webhook, "delivered");
                Ok(false)
            }
            Outcome::Retried(open) => {
                self.record(&[open], number).await?;
                Ok(false)
            }
            Outcome::Gone(open) => {
                self.record(&[open], number).await?;
                self.disable(GONE).await
            }
            Outcome::GivenUp { attempts, error, disable } => {
                let at = SystemClock.now().at;
                error!(webhook = %self.webhook, %order, attempts, error, "a notification was given up");
                let given_up = DeliveryGivenUp { delivery: delivery.clone(), attempts, error, at };
                self.common.registry.record(self.webhook, &Event::DeliveryGivenUp(given_up)).await?;
                self.end(&delivery, number).await?;
                self.common.figures.ended(self.webhook, "given_up");
                if disable { self.disable(FAILED_FOR_LONG).await } else { Ok(false) }
            }
        }
    }

    async fn disable(&mut self, because: &str) -> Result<bool, Interruption> {
        warn!(webhook = %self.webhook, because, "a webhook is disabled");
        self.common.registry.command(self.webhook, Command::Disable(because.to_owned()), None).await?;
        Ok(true)
    }

    /// A delivery has come to its end.
    async fn end(&mut self, delivery: &Delivery, number: Option<Number>) -> Result<(), Interruption> {
        match number {
            Some(number) => self.window.end(number),
            None => self.settle(delivery).await?,
        }
        Ok(())
    }

    async fn settle(&mut self, delivery: &Delivery) -> Result<(), Interruption> {
        let mut db = self.common.leading.lock().await;
        Ok(webhook_deliveries::settle(&mut db, self.webhook, delivery).await?)
    }

    /// Puts deliveries on record. The checkpoint may pass them then.
    async fn record(
        &mut self,
        open: &[OpenDelivery],
        numbers: impl IntoIterator<Item = Number>,
    ) -> Result<(), Interruption> {
        {
            let mut db = self.common.leading.lock().await;
            webhook_deliveries::record(&mut db, self.webhook, open).await?;
        }
        numbers.into_iter().for_each(|number| self.window.end(number));
        Ok(())
    }

    async fn record_waiting(&mut self) -> Result<(), Interruption> {
        let (open, numbers) = self.queue.unrecorded();
        if open.is_empty() {
            // Requests are under way, and end in time.
            sleep(PACE).await;
            return Ok(());
        }
        self.record(&open, numbers).await
    }

    async fn move_checkpoint(&mut self) -> Result<(), Interruption> {
        let Some(through) = self.window.through() else { return Ok(()) };
        let checkpoint = Checkpoint { position: through, log: Some(self.log_id), mark: self.window.mark() };
        {
            let mut db = self.common.leading.lock().await;
            webhook_deliveries::move_checkpoint(&mut db, self.webhook, &checkpoint).await?;
        }
        (self.written, self.written_at) = (Some(through), Instant::now());
        Ok(())
    }

    fn show(&mut self) {
        if self.shown_at.is_some_and(|shown_at| shown_at.elapsed() < PACE) {
            return;
        }
        self.shown_at = Some(Instant::now());
        let (queue, webhook) = (&self.queue, self.webhook);
        let standing = Standing { open: queue.len(), oldest: queue.oldest(), is_failing: queue.is_failing() };
        self.common.figures.stands(webhook, standing);
    }

    /// Waits for requests that are under way, and records what became of them.
    async fn leave(&mut self) -> Result<(), Interruption> {
        let rest = async {
            while let Some(ended) = self.in_flight.join_next().await {
                let (order, answer) = ended?;
                self.ended(&order, answer).await?;
            }
            Ok(())
        };
        timeout(LEAVING, rest).await.unwrap_or(Ok::<(), Interruption>(()))?;
        self.move_checkpoint().await
    }
}

impl Drop for Deliverer {
    fn drop(&mut self) {
        self.common.figures.left(self.webhook);
    }
}

async fn until(next: Option<Timestamp>) {
    match next {
        Some(next) => SystemClock.sleep_until(next).await,
        None => std::future::pending().await,
    }
}

/// The position of a webhook's first event.
async fn beginning(log: &EventStore, webhook: WebhookId) -> Result<Position, Interruption> {
    let first = log.read_stream(&webhook.stream(), 0, 1).await?;
    first.first().map(|event| event.position).ok_or(Interruption::NoBeginning)
}
