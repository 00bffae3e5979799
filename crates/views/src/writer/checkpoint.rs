//! Moves the checkpoint of the views. It moves only from where the writer expects it, and in the
//! generation that the writer knows: of two writers, one writes nothing.

use std::fmt::{self, Display, Formatter};
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use event_store::Position;
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::WriteError;
use super::parameters::{Parameters, Placeholder};
use crate::channels;
use crate::checkpoint::VIEWS;

/// How far the checkpoint moves.
#[derive(Debug, Clone, Copy)]
pub struct CheckpointMove {
    /// Its expected position.
    pub from: Option<Position>,
    /// The expected generation of the views.
    pub generation: i64,
    /// Its new position.
    pub through: Position,
    /// The id of the event at the new position; `None`: the stored one stays.
    pub event: Option<Uuid>,
    /// The identity of the log; `None`: the stored one stays.
    pub log_id: Option<Uuid>,
    /// When the last event was recorded; `None`: the stored time stays.
    pub last_event_at: Option<DateTime<Utc>>,
    /// Whether the move is announced, with the orders that have ended.
    pub announce: bool,
}

impl CheckpointMove {
    /// Binds the move.
    pub(super) fn bind(&self, parameters: &mut Parameters) -> Moved {
        Moved {
            name: parameters.bind(VIEWS),
            commit: parameters.bind(self.through.commit.cast_signed()),
            prepare: parameters.bind(self.through.prepare.cast_signed()),
            last_event_at: parameters.bind(self.last_event_at),
            from: parameters.bind(self.from.map(|from| from.commit.cast_signed())),
            generation: parameters.bind(self.generation),
            log_id: parameters.bind(self.log_id),
            event: parameters.bind(self.event),
        }
    }

    /// The channel of the announcement.
    pub(super) fn channel(&self, parameters: &mut Parameters) -> Placeholder {
        parameters.bind(if self.announce { channels::MOVED } else { channels::UNHEARD })
    }
}

/// The part of a statement that moves the checkpoint. Its rows, as `moved`, have the new position;
/// it has none if the checkpoint was elsewhere.
pub(super) struct Moved {
    name: Placeholder,
    commit: Placeholder,
    prepare: Placeholder,
    last_event_at: Placeholder,
    from: Placeholder,
    generation: Placeholder,
    log_id: Placeholder,
    event: Placeholder,
}

impl Display for Moved {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { name, commit, prepare, last_event_at, from, generation, log_id, event } = self;
        write!(
            f,
            "moved AS (
        INSERT INTO checkpoints AS c (name, position, prepare, last_event_at, log_id,
                                      mark_position, mark_prepare, mark_event)
        SELECT {name}::text, {commit}::bigint, {prepare}::bigint, {last_event_at}::timestamptz, log_id,
               CASE WHEN event IS NOT NULL THEN {commit}::bigint END,
               CASE WHEN event IS NOT NULL THEN {prepare}::bigint END, event
        FROM (SELECT {log_id}::uuid AS log_id, {event}::uuid AS event) AS given
        ON CONFLICT (name) DO UPDATE
        SET position = excluded.position, prepare = excluded.prepare,
            last_event_at = coalesce(excluded.last_event_at, c.last_event_at),
            log_id = coalesce(excluded.log_id, c.log_id),
            mark_position = coalesce(excluded.mark_position, c.mark_position),
            mark_prepare = coalesce(excluded.mark_prepare, c.mark_prepare),
            mark_event = coalesce(excluded.mark_event, c.mark_event)
        WHERE c.position = {from}::bigint AND c.generation = {generation}::bigint
        RETURNING position
    )"
        )
    }
}

/// Moves the checkpoint where no row changes: nothing between the two positions is for the views.
pub async fn move_checkpoint(db: &mut PgConnection, to: &CheckpointMove) -> Result<(), WriteError> {
    // Everything is bound in the same order each time.
    static STATEMENT: OnceLock<String> = OnceLock::new();
    let mut parameters = Parameters::default();
    let moved = to.bind(&mut parameters);
    let channel = to.channel(&mut parameters);
    let text = || format!("WITH {moved} SELECT pg_notify({channel}, position::text) FROM moved");
    let moved = parameters.statement(|| STATEMENT.get_or_init(text).as_str())?.fetch_optional(db).await?;
    moved.map(|_| ()).ok_or(WriteError::CheckpointMoved)
}
