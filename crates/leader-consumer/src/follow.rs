//! Follows a part of the log: acquires leadership, reads from the checkpoint, delivers events to a
//! handler, moves the checkpoint.

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

/// How often the checkpoint is written while it moves.
const PACE: Duration = Duration::from_millis(100);
/// How often the checkpoint is written while no event passes the filter. Less often, because the
/// event at the checkpoint has to be read for its id.
const PASSING_PACE: Duration = Duration::from_secs(1);
/// How long running handlers may take to finish after a stop. Events that are not finished are
/// handled again by the next leader.
const LEAVING: Duration = Duration::from_secs(2);

/// What is followed, and with which bounds.
#[derive(Debug, Clone)]
pub struct FollowOptions {
    /// The follower's name in log lines.
    pub name: &'static str,
    /// The number of the leadership lock. All that compete use the same.
    pub lock: i64,
    /// The row of the checkpoint.
    pub checkpoint: CheckpointRow,
    /// Selects the events.
    pub filter: Filter,
    /// How many events are taken from the log before the first of them is handled.
    pub max_under_way: usize,
    /// How often an instance on standby tries to take over.
    pub standby_poll: Duration,
    /// How long the leader may be silent (paused, or cut off) before Postgres releases its lock.
    pub silence: Duration,
    /// The longest pause before a retry.
    pub back_off_max: Duration,
    /// Raised while the checkpoint belongs to another log.
    pub alarm: LogAlarm,
    /// What an operator does if the checkpoint belongs to another log.
    pub remedy: &'static str,
}

impl FollowOptions {
    /// Options with the usual bounds.
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

/// Handles the events.
pub trait Reader: Send + Sync + 'static {
    /// The lane of an event. Events of one lane are handled one after another. Events without a
    /// lane are handled in parallel with all others.
    fn lane(&self, event: &RecordedEvent) -> Option<String>;

    /// Handles an event, and returns after the result is durable. It may be dropped before that,
    /// and called again for the same event.
    fn handle(&self, event: RecordedEvent) -> impl Future<Output = ()> + Send;
}

/// Why following was interrupted.
#[derive(Debug, thiserror::Error)]
enum Interruption {
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the handler of an event panicked: {0}")]
    Handler(#[from] JoinError),
    #[error(transparent)]
    Origin(#[from] OriginError),
    #[error("the connection to the log was replaced, and the checkpoint is compared with the log")]
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

/// Follows until `stop`. While another instance leads it stands by. While log or database are down
/// it waits.
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
        error!(name, %interruption, "stopped following the log");
    }
}

/// The parts that every term of leadership uses.
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
        // A write that a crash of the database loses is only repeated, so there is no need to wait
        // for its disk.
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
            last_contact: Instant::now(),
        };
        active.run(stop).await
    }
}

/// An event that is being handled.
struct Item {
    number: Number,
    lane: Option<String>,
    event: RecordedEvent,
}

/// What remains of an event after it was handled.
type Handled = (Number, Option<String>);

/// The instance that leads.
struct Active<'a, R> {
    options: &'a FollowOptions,
    db: PgConnection,
    log: &'a EventStore,
    /// The log's identity.
    log_id: Uuid,
    subscription: Subscription,
    reader: Arc<R>,
    window: Window,
    lanes: Lanes<Item>,
    under_way: JoinSet<Handled>,
    /// The checkpoint in the database.
    written: Option<Position>,
    /// When this process last sent something to the database.
    last_contact: Instant,
}

impl<R: Reader> Active<'_, R> {
    async fn run(mut self, stop: &CancellationToken) -> Result<(), Interruption> {
        loop {
            let has_room = self.window.len() < self.options.max_under_way.max(1);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = sleep_until(self.next_contact()) => self.keep_leadership().await?,
                Some(handled) = self.under_way.join_next() => self.handled(handled?),
                item = self.subscription.next(), if has_room => self.take(item)?,
            }
        }
        self.leave().await
    }

    /// When the database has to receive the next message.
    fn next_contact(&self) -> Instant {
        let pause = match self.window.through() {
            through if through == self.written => self.options.silence / 4,
            through if through == self.window.mark().map(|mark| mark.position) => PACE,
            _ => PASSING_PACE.min(self.options.silence / 4),
        };
        self.last_contact + pause
    }

    /// Writes the checkpoint, or only shows the database that this process is alive.
    async fn keep_leadership(&mut self) -> Result<(), Interruption> {
        match self.window.through() {
            Some(through) if Some(through) != self.written => {
                self.find_mark(through).await;
                let checkpoint = Checkpoint { position: through, log: Some(self.log_id), mark: self.window.mark() };
                self.options.checkpoint.write(&mut self.db, &checkpoint).await?;
                self.written = Some(through);
            }
            _ => self.db.ping().await?,
        }
        self.last_contact = Instant::now();
        Ok(())
    }

    /// Reads the id of the event at the checkpoint. Without it, the mark stays at an earlier event.
    async fn find_mark(&mut self, position: Position) {
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

    /// Releases the leadership, so that another instance takes over at once.
    async fn leave(mut self) -> Result<(), Interruption> {
        let rest = async {
            while let Some(handled) = self.under_way.join_next().await {
                let (number, _) = handled?;
                self.window.end(number);
            }
            Ok(())
        };
        // Out of time: the next leader handles the rest again.
        timeout(LEAVING, rest).await.unwrap_or(Ok::<(), Interruption>(()))?;
        self.under_way.shutdown().await;
        self.keep_leadership().await?;
        if let Err(error) = self.db.close().await {
            debug!(name = self.options.name, %error, "the connection did not close cleanly");
        }
        Ok(())
    }
}
