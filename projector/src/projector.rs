//! The life of a projector: it stands by, takes over, follows the log, and starts again after an
//! interruption.

use std::time::Duration;

use domain::views::stream_prefixes;
use event_store::{EventStore, Filter, Position, RecordedEvent};
use leader_consumer::{Term, Terms, lead};
use sqlx::PgPool;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use views::REMEDY;
use views::parked::{self, Parked};

use crate::apply::{Views, apply};
use crate::error::{Interruption, ProjectorError, WriteError};
use crate::fold::Batch;
use crate::intake::{Collected, Intake};
use crate::options::ProjectorOptions;
use crate::session::Session;
use crate::states::States;

/// Streams of other applications that are named in the log lines.
const MAX_FOREIGN_NAMED: u64 = 20;
/// Who raises the alarm.
const PROJECTOR: &str = "the projector";

/// Follows the log and writes the views until `shutdown`. While another projector is active, this
/// one stands by; while log or database are down, it waits. It ends with an error only where
/// waiting does not help.
pub async fn run(
    options: ProjectorOptions,
    log: EventStore,
    pool: PgPool,
    shutdown: CancellationToken,
) -> Result<(), ProjectorError> {
    let ProjectorOptions { back_off_max: max_pause, ref alarm, .. } = options;
    let terms = Terms { name: PROJECTOR, max_pause, alarm, remedy: REMEDY };
    let projector = Projector { options: &options, log: &log, pool: &pool, shutdown: &shutdown };
    match lead(terms, projector, &shutdown).await {
        Ok(()) => {
            options.health.stand_by(None);
            Ok(())
        }
        Err(Interruption::Database(error)) => Err(ProjectorError::Schema(error)),
        Err(other) => Err(ProjectorError::Schema(sqlx::Error::Protocol(other.to_string()))),
    }
}

/// What every term as the leader needs.
struct Projector<'a> {
    options: &'a ProjectorOptions,
    log: &'a EventStore,
    pool: &'a PgPool,
    shutdown: &'a CancellationToken,
}

impl Term for Projector<'_> {
    type Interruption = Interruption;

    async fn lead(&mut self) -> Result<(), Interruption> {
        match Active::take_over(self.options, self.log, self.pool, self.shutdown).await? {
            Some(active) => active.follow(self.shutdown).await,
            None => Ok(()),
        }
    }

    fn progress(&self) -> Option<Position> {
        self.options.health.now().position
    }

    fn interrupted(&mut self, interruption: &Interruption) {
        self.options.health.stand_by(Some(interruption.to_string()));
    }
}

/// The projector while it is the one that writes.
struct Active<'a> {
    options: &'a ProjectorOptions,
    log: EventStore,
    session: Session,
    states: States,
    intake: Intake,
    /// How far the log was read: further than the checkpoint, while no event passes the filter.
    through: Option<Position>,
    /// When the next transaction may begin.
    next_write: Instant,
    heartbeat: Interval,
}

impl<'a> Active<'a> {
    /// Waits until this projector is the leader; `None`: a shutdown came first.
    async fn take_over(
        options: &'a ProjectorOptions,
        log: &EventStore,
        pool: &PgPool,
        shutdown: &CancellationToken,
    ) -> Result<Option<Self>, Interruption> {
        let mut session = tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            session = Session::take_over(pool, log, options) => session?,
        };
        options.alarm.clear(PROJECTOR);
        let checkpoint = session.checkpoint();
        options.health.activate(checkpoint, parked::count(&mut session.db).await?);
        tracing::info!(from = checkpoint.map(|position| position.commit), "the projector is active");
        let filter = Filter::StreamPrefixes(stream_prefixes().to_vec());
        let beat = options.silence / 4;
        let mut heartbeat = interval_at(Instant::now() + beat, beat.max(Duration::from_millis(1)));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Some(Self {
            options,
            log: log.clone(),
            session,
            // Empty each time: a failed database may have lost what memory still has.
            states: States::new(log.clone(), options.cached_orders).observed(options.observer.is_some()),
            intake: Intake::new(log.subscribe_all(filter, checkpoint), options.batch_events.get()),
            through: checkpoint,
            next_write: Instant::now(),
            heartbeat,
        }))
    }

    async fn follow(mut self, shutdown: &CancellationToken) -> Result<(), Interruption> {
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                _ = self.heartbeat.tick() => self.session.keep_alive(&self.log, self.through).await?,
                () = self.intake.fill(self.next_write) => {
                    let collected = self.intake.take();
                    self.apply(collected).await?;
                }
            }
        }
        self.session.close().await;
        Ok(())
    }

    async fn apply(&mut self, collected: Collected) -> Result<(), Interruption> {
        if collected.resumed {
            return Err(Interruption::Reconnected);
        }
        if !collected.events.is_empty() {
            let begun = Instant::now();
            apply(self, &collected.events).await?;
            let took = begun.elapsed();
            self.options.health.applied(collected.events.len(), took);
            self.next_write = Instant::now() + took.min(self.options.pace);
            self.heartbeat.reset();
        }
        self.through = collected.through.or(self.through);
        if collected.caught_up {
            self.options.health.caught_up();
        }
        Ok(())
    }

    /// Logs the names of the first streams of other applications, and then once that more of them
    /// are only counted.
    fn report_foreign(&self, streams: &[String]) {
        if streams.is_empty() {
            return;
        }
        let before = self.options.health.add_foreign_streams(streams.len());
        for (number, stream) in (before..=MAX_FOREIGN_NAMED).zip(streams) {
            if number == MAX_FOREIGN_NAMED {
                tracing::warn!(
                    "more streams that are named like orders' hold events of another application: they are only counted"
                );
            } else {
                tracing::warn!(%stream, "a stream that is named like an order's holds events of another application: it is left out");
            }
        }
    }
}

impl Views for Active<'_> {
    async fn fold(&mut self, events: &[RecordedEvent]) -> Result<Batch, WriteError> {
        Ok(Batch::fold(&mut self.states, &mut self.session.db, events).await?)
    }

    async fn commit(&mut self, mut batch: Batch, events: &[RecordedEvent]) -> Result<(), WriteError> {
        let Some(last) = events.last() else { return Ok(()) };
        let more_parked = self.session.commit(&batch, last).await?;
        self.options.observer.committed(std::mem::take(&mut batch.observed));
        for parked in &batch.parked {
            let RecordedEvent { stream, revision, event_type, .. } = &parked.event;
            tracing::error!(%stream, revision, %event_type, reason = %parked.reason, "an event was set aside");
        }
        for Parked { event, reason } in batch.limits.values().flatten() {
            tracing::error!(stream = %event.stream, reason, "an operator of the log hides events of an order");
        }
        self.report_foreign(&batch.foreign);
        batch.keep(&mut self.states);
        self.options.health.committed(last.position, Some(last.created), more_parked);
        Ok(())
    }

    fn refused(&self, reason: &str, events: usize) {
        tracing::warn!(%reason, events, "Postgres refused a batch; its events are written one by one");
    }
}
