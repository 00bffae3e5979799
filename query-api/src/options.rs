//! What can be set about the query side.

use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::live::LiveStats;

/// Settings of [`router`](crate::router).
#[derive(Debug, Clone)]
pub struct Options {
    /// How deep a query may nest.
    pub max_depth: usize,
    /// What a query may cost: a point a field, times the rows of the lists around it.
    pub max_complexity: usize,
    /// The largest body taken, in bytes.
    pub max_body_bytes: usize,
    /// Queries that may be under way at once; the next are told to come later.
    pub max_queries: usize,
    /// Costly queries that may run at once: those of a large document, of a high complexity, or that ask for the schema. By default
    /// one fewer than the machine has processors, at least one and at most eight.
    pub max_costly_queries: usize,
    /// What an answer may weigh as JSON, in bytes.
    pub max_answer_bytes: usize,
    /// The most fields of an answer, those of each row counted.
    pub max_answer_values: usize,
    /// What large answers may hold in memory together until they are sent, in bytes.
    pub max_answers_memory_bytes: usize,
    /// How long a query may take.
    pub timeout: Duration,
    /// How long a WebSocket's client may take to say that it begins.
    pub beginning: Duration,
    /// How long it may take to take a message.
    pub taking: Duration,
    /// Connections that may stay open for subscriptions; the next are told to come later.
    pub max_connections: usize,
    /// Where to count them.
    pub stats: LiveStats,
    /// Ends them, so that their clients go on elsewhere.
    pub leaving: CancellationToken,
}

/// The most costly queries that run at once, however many processors there are: their answers take memory.
const MAX_COSTLY: usize = 8;

/// How many costly queries run at once on so many processors: one processor is left for orders and cheap queries.
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
