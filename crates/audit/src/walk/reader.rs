//! Reads `$all` event by event, and continues past damage on the disk.
//!
//! After a failed read, the next events are read one by one until enough reads have succeeded. So
//! only the damaged events are left out.

use event_store::{History, Position, ReadError, RecordedEvent};

use servers::log::Log;

/// For how many positions after a failure events are read one by one: more than the log sends at a
/// time.
const SINGLE_READS: u64 = 512;
/// How many damaged positions are passed before the rest is given up.
const MAX_DAMAGED: u64 = 4_096;

/// The next item of the log.
pub(super) enum Next {
    Event(RecordedEvent),
    Damaged(Damaged),
    End,
}

/// Positions that cannot be read.
pub(super) struct Damaged {
    pub from: u64,
    pub to: u64,
    pub reason: String,
}

/// The log, up to a position.
pub(super) struct Reader<'a> {
    log: &'a Log,
    to: u64,
    history: History,
    /// The last position that was read, or could not be read.
    last: u64,
    /// Up to this position, events are read one by one.
    single_until: u64,
    spoilt_positions: u64,
    /// The damaged positions before the next event.
    damaged: Option<Damaged>,
    ahead: Option<RecordedEvent>,
}

impl<'a> Reader<'a> {
    pub fn new(log: &'a Log, to: u64) -> Self {
        let history = log.store.history(None);
        Self { log, to, history, last: 0, single_until: 0, spoilt_positions: 0, damaged: None, ahead: None }
    }

    pub async fn next(&mut self) -> Result<Next, ReadError> {
        let event = match self.ahead.take() {
            Some(event) => Some(event),
            None => self.find().await?,
        };
        Ok(match (self.damaged.take(), event) {
            (Some(damaged), event) => {
                self.ahead = event;
                Next::Damaged(damaged)
            }
            (None, Some(event)) => Next::Event(event),
            (None, None) => Next::End,
        })
    }

    /// The next event that can be read.
    async fn find(&mut self) -> Result<Option<RecordedEvent>, ReadError> {
        while self.last < self.to {
            let single = self.last < self.single_until;
            let read = if single { Self::one(self.log, self.last).await } else { self.streamed().await };
            match read {
                Ok(Some(event)) if event.position.commit > self.to => return Ok(None),
                // A resumed history begins with an event that was read already.
                Ok(Some(event)) if event.position.commit <= self.last => {}
                Ok(Some(event)) => {
                    self.last = event.position.commit;
                    if single && self.last >= self.single_until {
                        self.history = self.log.store.history(Some(event.position));
                    }
                    return Ok(Some(event));
                }
                Ok(None) => return Ok(None),
                Err(error @ ReadError::Unavailable(_)) => return Err(error),
                // The first events of the failed batch may still be readable.
                Err(_) if !single => self.single_until = self.last.saturating_add(SINGLE_READS),
                Err(error) => self.pass_over(&error),
            }
        }
        Ok(None)
    }

    async fn streamed(&mut self) -> Result<Option<RecordedEvent>, ReadError> {
        Ok(self.history.next().await?.map(|record| record.event))
    }

    async fn one(log: &Log, last: u64) -> Result<Option<RecordedEvent>, ReadError> {
        let next = last.saturating_add(1);
        Ok(log.store.read_all(Some(Position { commit: next, prepare: next }), 1).await?.pop())
    }

    fn pass_over(&mut self, error: &ReadError) {
        self.last += 1;
        self.spoilt_positions += 1;
        let from = self.last;
        if self.spoilt_positions >= MAX_DAMAGED {
            self.last = self.to;
        }
        self.single_until = self.last.saturating_add(SINGLE_READS);
        let damaged = self.damaged.get_or_insert_with(|| Damaged { from, to: from, reason: error.to_string() });
        damaged.to = self.last;
    }
}
