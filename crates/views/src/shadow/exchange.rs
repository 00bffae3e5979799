//! The exchange of the shadow's tables with the live ones, in one transaction of the caller.
//!
//! The live tables are locked in the order in which every process locks them, so that no two wait
//! for each other, and only for a moment: while others hold the tables for longer, the caller tries
//! again later. A client that waits for a table by its name then finds the new one.

use event_store::Position;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::{SCHEMA, Shadow, execute};
use crate::channels;
use crate::checkpoint::{VIEWS, begin_generation};
use crate::compare::{Difference, Live};
use crate::tables::{CHECKPOINTS, View};

/// How long this waits for the locks, and how long others wait meanwhile.
const PATIENCE: &str = "SET LOCAL lock_timeout TO '500ms'";
/// How long this waits for a vacuum, which gives way after a second (`deadlock_timeout`). No other
/// client waits meanwhile.
const PATIENCE_WITH_VACUUM: &str = "SET LOCAL lock_timeout TO '5s'";
/// SQLSTATE of a lock that was not released in that time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

impl Shadow {
    /// Locks the shadow, and then the live tables, so that others wait as little as possible.
    /// Returns whether the tables are locked; if not, others hold them, and the transaction is
    /// over. To compare, it is enough that no process writes.
    pub async fn lock(&self, db: &mut PgConnection, only_compare: bool) -> Result<bool, sqlx::Error> {
        match self.try_lock(db, only_compare).await {
            Ok(()) => Ok(true),
            Err(error) if is_held(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn try_lock(&self, db: &mut PgConnection, only_compare: bool) -> Result<(), sqlx::Error> {
        let (shadow, live) = (View::all_in(SCHEMA), View::all_in(&self.live));
        execute(db, PATIENCE_WITH_VACUUM).await?;
        execute(db, &format!("LOCK TABLE {shadow} IN ACCESS EXCLUSIVE MODE")).await?;
        // The mode of a vacuum: readers and writers continue.
        execute(db, &format!("LOCK TABLE {live} IN SHARE UPDATE EXCLUSIVE MODE")).await?;
        execute(db, PATIENCE).await?;
        let mode = if only_compare { "EXCLUSIVE" } else { "ACCESS EXCLUSIVE" };
        execute(db, &format!("LOCK TABLE {live} IN {mode} MODE; SET LOCAL lock_timeout TO 0")).await
    }

    /// How these live views differ from the shadow.
    pub async fn differences(&self, db: &mut PgConnection, views: &[View]) -> Result<Vec<Difference>, sqlx::Error> {
        let live = Live { schema: self.live.clone(), rebuilt: SCHEMA.to_owned() };
        let mut differences = Vec::new();
        for view in views {
            differences.extend(live.differing_view(db, *view).await?);
        }
        Ok(differences)
    }

    /// Whether other events are set aside in the shadow than in the live views.
    pub async fn parked_differ(&self, db: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let (live, parked) = (&self.live, View::Parked.table());
        let differ = format!(
            "SELECT EXISTS (TABLE {live}.{parked} EXCEPT TABLE {SCHEMA}.{parked})
                 OR EXISTS (TABLE {SCHEMA}.{parked} EXCEPT TABLE {live}.{parked})"
        );
        sqlx::query_scalar(AssertSqlSafe(differ)).fetch_one(db).await
    }

    /// Stores that the live views are made from this log, up to this position, which may be before
    /// their earlier one.
    pub async fn adopt(&self, db: &mut PgConnection, log_id: Uuid, through: Position) -> Result<(), sqlx::Error> {
        let query = format!(
            "UPDATE {}.{CHECKPOINTS} AS c
             SET position = $2, prepare = $3, log_id = $4, last_event_at = made.last_event_at,
                 mark_position = made.mark_position, mark_prepare = made.mark_prepare, mark_event = made.mark_event
             FROM (VALUES (1)) AS one LEFT JOIN {SCHEMA}.{CHECKPOINTS} AS made ON made.name = $1
             WHERE c.name = $1",
            self.live
        );
        sqlx::query(AssertSqlSafe(query))
            .bind(VIEWS)
            .bind(through.commit.cast_signed())
            .bind(through.prepare.cast_signed())
            .bind(log_id)
            .execute(db)
            .await
            .map(drop)
    }

    /// Replaces these live views by the shadow's. The active projector then drops its memory of the
    /// old ones.
    pub async fn exchange(&self, db: &mut PgConnection, views: &[View]) -> Result<(), sqlx::Error> {
        let live = &self.live;
        for view in views {
            let table = view.table();
            execute(db, &format!("DROP TABLE {live}.{table}; ALTER TABLE {SCHEMA}.{table} SET SCHEMA {live}")).await?;
        }
        if let Some((position, _)) = begin_generation(db, &format!("{live}.{CHECKPOINTS}")).await? {
            sqlx::query("SELECT pg_notify($1, $2)")
                .bind(channels::MOVED)
                .bind(position.commit.to_string())
                .execute(db)
                .await?;
        }
        Ok(())
    }
}

fn is_held(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == LOCK_NOT_AVAILABLE)
}
