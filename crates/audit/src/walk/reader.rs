//! Everything in `$all`, one event after the other, past what the disk has spoilt.
//!
//! Where the log refuses to be read on, the events behind are read one by one until that has gone well for a while, so that no
//! more is left out than cannot be read.

use event_store::{History, Position, ReadError, RecordedEvent};

use servers::log::Log;

/// For so many positions after a failure, events are read one by one: more than the log sends at a time.
const CAREFUL: u64 = 512;
/// Positions that may be spoilt before the rest is given up.
const MAX_SPOILT: u64 = 4_096;

/// What comes next.
pub(super) enum Next {
    Event(RecordedEvent),
    Spoilt(Spoilt),
    End,
}

/// Positions that cannot be read.
pub(super) struct Spoilt {
    pub from: u64,
    pub to: u64,
    pub reason: String,
}

/// The log, up to a position.
pub(super) struct Reader<'a> {
    log: &'a Log,
    to: u64,
    history: History,
    /// The last position that was read, or could not be.
    last: u64,
    /// Until this position is passed, events are read one by one.
    careful_until: u64,
    spoilt_positions: u64,
    /// What was passed over on the way to the event ahead.
    spoilt: Option<Spoilt>,
    ahead: Option<RecordedEvent>,
}

impl<'a> Reader<'a> {
    pub fn new(log: &'a Log, to: u64) -> Self {
        let history = log.store.history(None);
        Self { log, to, history, last: 0, careful_until: 0, spoilt_positions: 0, spoilt: None, ahead: None }
    }

    pub async fn next(&mut self) -> Result<Next, ReadError> {
        let event = match self.ahead.take() {
            Some(event) => Some(event),
            None => self.find().await?,
        };
        Ok(match (self.spoilt.take(), event) {
            (Some(spoilt), event) => {
                self.ahead = event;
                Next::Spoilt(spoilt)
            }
            (None, Some(event)) => Next::Event(event),
            (None, None) => Next::End,
        })
    }

    /// The next event that can be read.
    async fn find(&mut self) -> Result<Option<RecordedEvent>, ReadError> {
        while self.last < self.to {
            let careful = self.last < self.careful_until;
            let read = if careful { self.one().await } else { self.streamed().await };
            match read {
                Ok(Some(event)) if event.position.commit > self.to => return Ok(None),
                // A history that is taken up again begins with an event that is known.
                Ok(Some(event)) if event.position.commit <= self.last => {}
                Ok(Some(event)) => {
                    self.last = event.position.commit;
                    if careful && self.last >= self.careful_until {
                        self.history = self.log.store.history(Some(event.position));
                    }
                    return Ok(Some(event));
                }
                Ok(None) => return Ok(None),
                Err(error @ ReadError::Unavailable(_)) => return Err(error),
                // What comes first in what the log would have sent may still be whole.
                Err(_) if !careful => self.careful_until = self.last.saturating_add(CAREFUL),
                Err(error) => self.pass_over(&error),
            }
        }
        Ok(None)
    }

    async fn streamed(&mut self) -> Result<Option<RecordedEvent>, ReadError> {
        Ok(self.history.next().await?.map(|record| record.event))
    }

    async fn one(&self) -> Result<Option<RecordedEvent>, ReadError> {
        let next = self.last.saturating_add(1);
        Ok(self.log.store.read_all(Some(Position { commit: next, prepare: next }), 1).await?.pop())
    }

    fn pass_over(&mut self, error: &ReadError) {
        self.last += 1;
        self.spoilt_positions += 1;
        let from = self.last;
        if self.spoilt_positions >= MAX_SPOILT {
            self.last = self.to;
        }
        self.careful_until = self.last.saturating_add(CAREFUL);
        let spoilt = self.spoilt.get_or_insert_with(|| Spoilt { from, to: from, reason: error.to_string() });
        spoilt.to = self.last;
    }
}
