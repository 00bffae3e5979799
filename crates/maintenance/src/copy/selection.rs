//! The events that a copy has. The rest belongs to the server, or names positions of its log.

use domain::proof::seal::STREAM as SEALS;
use event_store::{EventStore, History, Position, ReadError, Record, described_by};

/// The stream in which `tenuto doctor --write` probes a log, and of which a server keeps one event.
const PROBES: &str = "tenuto-doctor";
/// Streams of the server begin with it.
const OF_THE_SERVER: char = '$';

/// How many events a copy leaves at the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Seals: they name positions of the source's log.
    pub seals: u64,
    /// Events of the server: its users and settings, groups of persistent subscriptions, links of
    /// projections, scavenges.
    pub of_the_server: u64,
}

/// The events of a log that a copy has, in their order.
pub(super) struct Copied {
    history: History,
    pub left_out: LeftOut,
}

impl Copied {
    /// Those from a position, inclusive, or from the beginning.
    pub fn of(log: &EventStore, from: Option<Position>) -> Self {
        Self { history: log.history(from), left_out: LeftOut::default() }
    }

    /// The next one. `None`: the end of the log was reached.
    pub async fn next(&mut self) -> Result<Option<Record>, ReadError> {
        while let Some(record) = self.history.next().await? {
            match subject(&record.event.stream) {
                PROBES => {}
                SEALS => self.left_out.seals += u64::from(record.event.stream == SEALS),
                subject if subject.starts_with(OF_THE_SERVER) => self.left_out.of_the_server += 1,
                _ => return Ok(Some(record)),
            }
        }
        Ok(None)
    }
}

/// The stream that a stream is about: itself, or the one whose metadata it has.
fn subject(stream: &str) -> &str {
    described_by(stream).unwrap_or(stream)
}
