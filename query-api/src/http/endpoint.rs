//! What the handlers of GraphQL share.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::Options;
use crate::admission::Admission;
use crate::budget::Limits;
use crate::freshness::Waiting;
use crate::live::LiveStats;
use crate::schema::{Schema, sdl};

/// What the handlers use.
pub struct Endpoint {
    pub(super) schema: Schema,
    pub(super) sdl: String,
    pub(super) pool: PgPool,
    pub(super) waiting: Waiting,
    /// Room for connections that stay.
    pub(super) places: Arc<Semaphore>,
    pub(super) stats: LiveStats,
    pub(super) leaving: CancellationToken,
    pub(super) beginning: Duration,
    pub(super) taking: Duration,
    pub(super) max_body_bytes: usize,
    pub(super) timeout: Duration,
    /// Room for costly queries.
    pub(super) admission: Admission,
    /// Room for queries.
    pub(super) queries: Semaphore,
    /// The largest answer.
    pub(super) limits: Limits,
    /// The memory of all large answers until they are sent, in KiB.
    pub(super) answers_memory: Arc<Semaphore>,
}

impl Endpoint {
    pub fn new(schema: Schema, pool: PgPool, waiting: Waiting, admission: Admission, options: &Options) -> Arc<Self> {
        let sdl = sdl(&schema);
        Arc::new(Self {
            schema,
            sdl,
            pool,
            waiting,
            places: Arc::new(Semaphore::new(options.max_connections)),
            stats: options.stats.clone(),
            leaving: options.leaving.clone(),
            beginning: options.beginning,
            taking: options.taking,
            max_body_bytes: options.max_body_bytes,
            timeout: options.timeout,
            admission,
            queries: Semaphore::new(options.max_queries),
            limits: Limits { bytes: options.max_answer_bytes, values: options.max_answer_values },
            answers_memory: Arc::new(Semaphore::new(options.max_answers_memory_bytes / 1024)),
        })
    }
}
