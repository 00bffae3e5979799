//! The exchange: in one transaction the new tables catch up with the live ones and take their place.
//!
//! The live tables are locked in the order in which everybody locks them, so that nobody waits in a circle, and only for a moment:
//! where others hold them for longer it is tried again later. Who waits for a table by its name then finds the new one.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use views::CHECKPOINTS;
use views::channels;
use views::checkpoint::{VIEWS, begin_generation};
use views::compare::Live;

use super::shadow::{self, SCHEMA};
use super::{RebuildError, RebuildOptions, Rebuilt, Stage, View, Work};

/// How long the locks are waited for, and how long others wait meanwhile.
const PATIENCE: &str = "SET LOCAL lock_timeout TO '500ms'";
/// How long it may take until a vacuum gives way, for which it takes a second (`deadlock_timeout`). Nobody else waits meanwhile.
const PATIENCE_WITH_VACUUM: &str = "SET LOCAL lock_timeout TO '5s'";
/// SQLSTATE of a lock that was not to be had in that time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Tries once; `None`: others held the tables.
pub(super) async fn attempt<T: Fn(Stage)>(
    work: &mut Work<'_, T>,
    db: &mut PgConnection,
    options: &RebuildOptions,
) -> Result<Option<Rebuilt>, RebuildError> {
    let mut transaction = db.begin().await?;
    match lock(&mut transaction, &work.live, options.only_check).await {
        Ok(()) => {}
        Err(error) if is_held(&error) => {
            transaction.rollback().await?;
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    }
    // Now nobody moves the live views.
    if let Some(target) = work.target(&mut transaction).await? {
        work.fill(&mut transaction, target).await?;
    }
    let orders = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {SCHEMA}.orders")));
    let orders: i64 = orders.fetch_one(&mut *transaction).await?;
    let mut differences = Vec::new();
    if options.only_check {
        let live = Live { schema: work.live.clone(), made: SCHEMA.to_owned() };
        for view in &options.views {
            differences.extend(live.differing_view(&mut transaction, *view).await?);
        }
    } else {
        if work.adopted.is_some() {
            adopt(&mut transaction, work).await?;
        }
        exchange(&mut transaction, &work.live, &options.views).await?;
    }
    // With this transaction: what is left beside would else be taken for the beginning of the next rebuild.
    shadow::clear(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Some(Rebuilt {
        position: work.reprojection.written,
        events: work.reading.events(),
        differences,
        orders: orders.cast_unsigned(),
        adopted: work.adopted.clone(),
    }))
}

/// Locks what is made, and then the live tables, with as little waiting for others as can be.
async fn lock(db: &mut PgConnection, live: &str, only_check: bool) -> Result<(), sqlx::Error> {
    let (shadow, live) = (View::all_in(SCHEMA), View::all_in(live));
    shadow::execute(db, PATIENCE_WITH_VACUUM).await?;
    shadow::execute(db, &format!("LOCK TABLE {shadow} IN ACCESS EXCLUSIVE MODE")).await?;
    // The mode of a vacuum: those who read and those who write go on.
    shadow::execute(db, &format!("LOCK TABLE {live} IN SHARE UPDATE EXCLUSIVE MODE")).await?;
    shadow::execute(db, PATIENCE).await?;
    // To compare, it is enough that nobody writes.
    let mode = if only_check { "EXCLUSIVE" } else { "ACCESS EXCLUSIVE" };
    shadow::execute(db, &format!("LOCK TABLE {live} IN {mode} MODE; SET LOCAL lock_timeout TO 0")).await
}

fn is_held(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == LOCK_NOT_AVAILABLE)
}

/// The views are of this log from now on, up to where it was read: that may be before where they were.
async fn adopt<T: Fn(Stage)>(db: &mut PgConnection, work: &Work<'_, T>) -> Result<(), RebuildError> {
    let Some(through) = work.reading.through() else { return Ok(()) };
    let query = format!(
        "UPDATE {}.{CHECKPOINTS} AS c
         SET position = $2, prepare = $3, log_id = $4, last_event_at = made.last_event_at, mark_position = made.mark_position,
             mark_prepare = made.mark_prepare, mark_event = made.mark_event
         FROM (VALUES (1)) AS one LEFT JOIN {SCHEMA}.{CHECKPOINTS} AS made ON made.name = $1
         WHERE c.name = $1",
        work.live
    );
    sqlx::query(AssertSqlSafe(query))
        .bind(VIEWS)
        .bind(through.commit.cast_signed())
        .bind(through.prepare.cast_signed())
        .bind(work.log_id)
        .execute(db)
        .await?;
    Ok(())
}

async fn exchange(db: &mut PgConnection, live: &str, views: &[View]) -> Result<(), RebuildError> {
    if !views.contains(&View::Parked) {
        let differ = format!(
            "SELECT EXISTS (TABLE {live}.parked EXCEPT TABLE {SCHEMA}.parked)
                 OR EXISTS (TABLE {SCHEMA}.parked EXCEPT TABLE {live}.parked)"
        );
        if sqlx::query_scalar(AssertSqlSafe(differ)).fetch_one(&mut *db).await? {
            return Err(RebuildError::ParkedDiffer);
        }
    }
    for view in views {
        let table = view.table();
        shadow::execute(db, &format!("DROP TABLE {live}.{table}; ALTER TABLE {SCHEMA}.{table} SET SCHEMA {live}"))
            .await?;
    }
    // The active projector has to forget what it remembers of the old ones.
    if let Some((position, _)) = begin_generation(db, &format!("{live}.{CHECKPOINTS}")).await? {
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(channels::MOVED)
            .bind(position.commit.to_string())
            .execute(db)
            .await?;
    }
    Ok(())
}
