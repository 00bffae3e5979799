//! Follows a part of the log: takes the place, reads from the checkpoint, hands events on, moves the checkpoint.

use std::sync::Arc;
use std::time::Duration;

use event_store::{EventStore, Filter, Position, RecordedEvent, Subscription, SubscriptionItem};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};
use uuid::Uuid;

use crate::alarm::LogAlarm;
use crate::checkpoint::CheckpointRow;
use crate::lanes::Lanes;
use crate::leadership::acquire_leadership;
use crate::origin::{Checkpoint, Mark, OriginError, verify};
use crate::terms::{Consequence, Interrupted, Term, Terms, lead};
use crate::window::{Number, Window};

/// How often the checkpoint is written, while it moves.
const PACE: Duration = Duration::from_millis(100);
/// How often the checkpoint is written past events that are not this reader's: the event there has to be looked up for its id.
const PASSING_PACE: Duration = Duration::from_secs(1);
/// How long what is under way has to come to its end when told to stop. What does not is handled again by whoever is next.
const LEAVING: Duration = Duration::from_secs(2);

/// What is followed, and how.
#[derive(Debug, Clone)]
pub struct FollowOptions {
    /// Who follows, for people.
    pub name: &'static str,
    /// The same number for all who compete for the place.
    pub lock: i64,
    /// Where the checkpoint is.
    pub checkpoint: CheckpointRow,
    /// Which events.
    pub filter: Filter,
    /// How many events are taken before the first of them is handled.
    pub max_under_way: usize,
    /// How often one that stands by tries to take over.
    pub standby_poll: Duration,
    /// How long the active one may be silent (paused, or cut off) before Postgres gives its place to another.
    pub silence: Duration,
    /// The longest wait before trying again what failed.
    pub back_off_max: Duration,
    /// Raised while the checkpoint is not of this log.
    pub alarm: LogAlarm,
    /// What an operator does when the checkpoint is not of this log.
    pub remedy: &'static str,
}

impl FollowOptions {
    /// With the usual bounds.
    pub fn new(
        name: &'static str,
        lock: i64,
        checkpoint: CheckpointRow,
        filter: Filter,
        (alarm, remedy): (LogAlarm, &'static str),
    ) -> Self {
        Self {
            name,
            lock,
            checkpoint,
            filter,
            max_under_way: 256,
            standby_poll: Duration::from_millis(250),
            silence: Duration::from_secs(5),
            back_off_max: Duration::from_secs(5),
            alarm,
            remedy,
        }
    }
}

/// Whoever handles the events.
pub trait Reader: Send + Sync + 'static {
    /// The lane of an event. Those of one lane are handled one after another; those of none, side by side with all.
    fn lane(&self, event: &RecordedEvent) -> Option<String>;

    /// Handles an event, and returns once that is durable. It may be dropped on the way, and called again for the same event.
    fn handle(&self, event: RecordedEvent) -> impl Future<Output = ()> + Send;
}

/// Why following was interrupted.
#[derive(Debug, thiserror::Error)]
enum Interruption {
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error("an event broke its handler down: {0}")]
    Handler(#[from] JoinError),
    #[error(transparent)]
    Origin(#[from] OriginError),
    #[error("the connection to the log was made again, and the checkpoint is compared with it")]
    Reconnected,
}

impl Interrupted for Interruption {
    fn consequence(&self) -> Consequence {
        match self {
            Self::Origin(OriginError::Mismatch(mismatch)) => Consequence::WrongLog(mismatch.to_string()),
            Self::Reconnected => Consequence::Again,
            Self::Database(_) | Self::Handler(_) | Self::Origin(OriginError::Log(_)) => Consequence::Pause,
        }
    }
}

/// Follows until told to stop. While another one is active it stands by; while log or database are down it waits.
pub async fn follow<R: Reader>(
    options: FollowOptions,
    log: EventStore,
    pool: PgPool,
    reader: Arc<R>,
    stop: CancellationToken,
) {
    let FollowOptions { name, back_off_max: max_pause, ref alarm, remedy, .. } = options;
    let follower = Follower { options: &options, log: &log, pool: &pool, reader: &reader, stop: &stop };
    if let Err(interruption) = lead(Terms { name, max_pause, alarm, remedy }, follower, &stop).await {
        error!(name, %interruption, "follows no more");
    }
}

/// What every term is led with.
struct Follower<'a, R> {
    options: &'a FollowOptions,
    log: &'a EventStore,
    pool: &'a PgPool,
    reader: &'a Arc<R>,
    stop: &'a CancellationToken,
}

impl<R: Reader> Term for Follower<'_, R> {
    type Interruption = Interruption;

    async fn lead(&mut self) -> Result<(), Interruption> {
        let Self { options, log, pool, reader, stop } = *self;
        let mut db = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            db = acquire_leadership(pool, options.lock, options.standby_poll, options.silence) => db?,
        };
        // What a crash of the server takes back is only read again: there is no need to wait for its disk.
        sqlx::query("SET synchronous_commit TO off").execute(&mut db).await?;
        let checkpoint = options.checkpoint.read(&mut db).await?;
        let log_id = verify(log, checkpoint.as_ref()).await?;
        options.alarm.clear(options.name);
        let position = checkpoint.map(|checkpoint| checkpoint.position);
        info!(name = options.name, from = position.map(|position| position.commit), "is active");
        let active = Active {
            options,
            db,
            log,
            log_id,
            subscription: log.subscribe_all(options.filter.clone(), position),
            reader: reader.clone(),
            window: Window::from(position, checkpoint.and_then(|checkpoint| checkpoint.mark)),
            lanes: Lanes::default(),
            under_way: JoinSet::new(),
            written: position,
            heard: Instant::now(),
        };
        active.run(stop).await
    }
}

/// An event on its way.
struct Item {
    number: Number,
    lane: Option<String>,
    event: RecordedEvent,
}

/// What is left of it once it is handled.
type Handled = (Number, Option<String>);

/// The one that follows.
struct Active<'a, R> {
    options: &'a FollowOptions,
    db: PgConnection,
    log: &'a EventStore,
    /// Its identity.
    log_id: Uuid,
    subscription: Subscription,
    reader: Arc<R>,
    window: Window,
    lanes: Lanes<Item>,
    under_way: JoinSet<Handled>,
    /// The checkpoint, as the database has it.
    written: Option<Position>,
    /// When the database last heard of this process.
    heard: Instant,
}

impl<R: Reader> Active<'_, R> {
    async fn run(mut self, stop: &CancellationToken) -> Result<(), Interruption> {
        loop {
            let has_room = self.window.len() < self.options.max_under_way.max(1);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = sleep_until(self.next_word()) => self.keep_place().await?,
                Some(handled) = self.under_way.join_next() => self.handled(handled?),
                item = self.subscription.next(), if has_room => self.take(item)?,
            }
        }
        self.leave().await
    }

    /// When the database is next told something.
    fn next_word(&self) -> Instant {
        let pause = match self.window.through() {
            through if through == self.written => self.options.silence / 4,
            through if through == self.window.mark().map(|mark| mark.position) => PACE,
            _ => PASSING_PACE.min(self.options.silence / 4),
        };
        self.heard + pause
    }

    /// Moves the checkpoint; or only says that this process lives.
    async fn keep_place(&mut self) -> Result<(), Interruption> {
        match self.window.through() {
            Some(through) if Some(through) != self.written => {
                self.look_for_mark(through).await;
                let checkpoint = Checkpoint { position: through, log: Some(self.log_id), mark: self.window.mark() };
                self.options.checkpoint.write(&mut self.db, &checkpoint).await?;
                self.written = Some(through);
            }
            _ => self.db.ping().await?,
        }
        self.heard = Instant::now();
        Ok(())
    }

    /// The id of the event that the checkpoint is at. Without it, the mark stays at an earlier event.
    async fn look_for_mark(&mut self, position: Position) {
        if self.window.mark().is_some_and(|mark| mark.position == position) {
            return;
        }
        let found = timeout(self.options.silence / 4, self.log.event_at(position)).await;
        if let Ok(Ok(Some(event))) = found {
            self.window.set_mark(Mark { position, event: event.id });
        }
    }

    fn take(&mut self, item: SubscriptionItem) -> Result<(), Interruption> {
        match item {
            SubscriptionItem::Event(event) => {
                let (number, lane) = (self.window.begin(event.position, event.id), self.reader.lane(&event));
                let item = Item { number, lane: lane.clone(), event };
                let its_turn = match &lane {
                    Some(lane) => self.lanes.enter(lane, item),
                    None => Some(item),
                };
                if let Some(item) = its_turn {
                    self.begin(item);
                }
            }
            SubscriptionItem::Checkpoint(position) => self.window.pass(position),
            SubscriptionItem::CaughtUp => {}
            SubscriptionItem::Resumed => return Err(Interruption::Reconnected),
        }
        Ok(())
    }

    fn begin(&mut self, Item { number, lane, event }: Item) {
        let reader = self.reader.clone();
        self.under_way.spawn(async move {
            reader.handle(event).await;
            (number, lane)
        });
    }

    fn handled(&mut self, (number, lane): Handled) {
        self.window.end(number);
        if let Some(next) = lane.and_then(|lane| self.lanes.leave(&lane)) {
            self.begin(next);
        }
    }

    /// Gives the place up, so that another one has it at once.
    async fn leave(mut self) -> Result<(), Interruption> {
        let rest = async {
            while let Some(handled) = self.under_way.join_next().await {
                let (number, _) = handled?;
                self.window.end(number);
            }
            Ok(())
        };
        // Out of time: the rest is handled again by whoever is next.
        timeout(LEAVING, rest).await.unwrap_or(Ok::<(), Interruption>(()))?;
        self.under_way.shutdown().await;
        self.keep_place().await?;
        if let Err(error) = self.db.close().await {
            debug!(name = self.options.name, %error, "the connection did not close cleanly");
        }
        Ok(())
    }
}
