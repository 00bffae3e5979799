//! What participants that are reached by events reply, in the streams `replies-{participant}`: each
//! reply becomes an answer to its order, or is set aside with the reason.
//!
//! One instance reads, the others stand by. It takes replies of one order in their order, and those
//! of different orders in parallel. A reply is taken under its event's id, so that taking it again
//! changes nothing. The checkpoint passes a reply only when it is recorded or set aside. While
//! Postgres is down none are read, since lock and checkpoint are there.

mod reading;
mod taker;
mod tally;

use std::sync::Arc;

use domain::wire::participants::REPLY_STREAM_PREFIX;
use event_store::{EventStore, Filter, RecordedEvent};
use leader_consumer::{FollowOptions, LogAlarm, Reader, follow};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use views::REPLIES;

use crate::clock::Clock;
use crate::orchestrator::Orchestrator;
use crate::participants::Participants;

pub(crate) use taker::Taker;
pub use tally::{ReplyTally, Taken};

/// Any number will do, as long as every command handler of a database takes the same.
const LOCK: i64 = 0x7465_6e75_746f_0002;

/// What an operator does when replies were read from another log so far.
const REMEDY: &str = "connect the log that the replies came from, or restore it whole; to continue with this log instead: tenuto rebuild --yes";

/// Settings of [`run_replies`].
#[derive(Debug, Clone)]
pub struct ReplyReaderOptions {
    /// How many replies are taken side by side.
    pub max_under_way: usize,
    /// Where to count what is taken.
    pub tally: ReplyTally,
    /// Raised while replies were read from another log so far: none is taken then.
    pub alarm: LogAlarm,
}

impl Default for ReplyReaderOptions {
    fn default() -> Self {
        Self { max_under_way: 64, tally: ReplyTally::default(), alarm: LogAlarm::default() }
    }
}

/// Takes replies until told to stop. While another instance takes them it stands by; trouble with
/// log and database is waited out.
pub async fn run_replies<P: Participants, C: Clock>(
    orchestrator: Orchestrator<EventStore, P, C>,
    log: EventStore,
    pool: PgPool,
    options: ReplyReaderOptions,
    stop: CancellationToken,
) {
    let filter = Filter::StreamPrefixes(vec![REPLY_STREAM_PREFIX.to_owned()]);
    let follow_options = FollowOptions {
        max_under_way: options.max_under_way,
        ..FollowOptions::new("the reader of replies", LOCK, REPLIES, filter, (options.alarm, REMEDY))
    };
    let taker = Arc::new(Taker::new(orchestrator, log.clone(), options.tally));
    follow(follow_options, log, pool, taker, stop).await;
}

impl<P: Participants, C: Clock> Reader for Taker<EventStore, P, C> {
    fn lane(&self, event: &RecordedEvent) -> Option<String> {
        Some(reading::read(event).ok()?.order_id().to_string())
    }

    async fn handle(&self, event: RecordedEvent) {
        self.take(&event).await;
    }
}
