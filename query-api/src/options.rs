//! The settings of the query side.

use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use access::SecondPerson;
use tokio_util::sync::CancellationToken;

use crate::live::LiveStats;

/// Settings of [`router`](crate::router).
#[derive(Debug, Clone)]
pub struct Options {
    /// How deep a query may nest.
    pub max_depth: usize,
    /// The highest complexity of a query: one for each field, times the rows of the lists around
    /// it.
    pub max_complexity: usize,
    /// The largest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// How many queries may run at once. Further ones are refused until later.
    pub max_queries: usize,
    /// How many costly queries may run at once: those with a large document or a high complexity,
    /// or that ask for the schema. By default one fewer than the machine has processors, at least
    /// one and at most eight.
    pub max_costly_queries: usize,
    /// The largest answer as JSON, in bytes.
    pub max_answer_bytes: usize,
    /// The most fields of an answer. The fields of each row count.
    pub max_answer_values: usize,
    /// The memory of all large answers together until they are sent, in bytes.
    pub max_answers_memory_bytes: usize,
    /// How long a query may take.
    pub timeout: Duration,
    /// How long the client of a WebSocket may take to send its first message.
    pub beginning: Duration,
    /// How long it may take to read a message.
    pub taking: Duration,
    /// How many connections may be open for subscriptions. Further ones are refused until later.
    pub max_connections: usize,
    /// Where connections and subscriptions are counted.
    pub stats: LiveStats,
    /// Which operations a second person has to approve.
    pub second_person: SecondPerson,
    /// Ends the connections, so that their clients connect to another instance.
    pub leaving: CancellationToken,
}

/// The most costly queries that run at once, even with more processors: their answers take memory.
const MAX_COSTLY: usize = 8;

/// How many costly queries run at once on so many processors: one processor is left for orders and
/// cheap queries.
fn costly_at_once(processors: usize) -> usize {
    processors.saturating_sub(1).clamp(1, MAX_COSTLY)
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // The introspection query of the usual tools is thirteen deep.
            max_depth: 16,
            max_complexity: 100_000,
            max_body_bytes: 256 * 1024,
            max_queries: 1_000,
            max_costly_queries: costly_at_once(available_parallelism().map_or(1, NonZero::get)),
            max_answer_bytes: 16 * 1024 * 1024,
            max_answer_values: 200_000,
            max_answers_memory_bytes: 256 * 1024 * 1024,
            timeout: Duration::from_secs(30),
            beginning: Duration::from_secs(10),
            taking: Duration::from_secs(15),
            max_connections: 4_000,
            stats: LiveStats::default(),
            second_person: SecondPerson::default(),
            leaving: CancellationToken::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costly_queries_leave_a_processor_to_orders() {
        let at_once = [1, 2, 3, 4, 9, 64].map(costly_at_once);
        assert_eq!(at_once, [1, 1, 2, 3, 8, 8]);
    }
}
