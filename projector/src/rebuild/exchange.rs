//! The exchange of the rebuilt views with the live ones, in one transaction. First the new tables
//! catch up with the live ones, which no process changes meanwhile.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::sleep;
use views::{Shadow, View};

use super::error::{MAX_TRIES, RebuildError};
use super::options::RebuildOptions;
use super::progress::{Rebuilt, Stage};
use super::work::Work;

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Exchanges the views, as soon as no other client holds the tables.
pub(super) async fn exchange<T: Fn(Stage)>(
    work: &mut Work<'_, T>,
    db: &mut PgConnection,
    options: &RebuildOptions,
) -> Result<Rebuilt, RebuildError> {
    for tries in 0..MAX_TRIES {
        work.check_stopped()?;
        work.catch_up(db).await?;
        (work.report)(Stage::Exchanging(tries));
        if let Some(rebuilt) = attempt(work, db, options).await? {
            return Ok(rebuilt);
        }
        sleep(PAUSE).await;
    }
    Err(RebuildError::Held)
}

/// Tries once; `None`: other clients held the tables.
async fn attempt<T: Fn(Stage)>(
    work: &mut Work<'_, T>,
    db: &mut PgConnection,
    options: &RebuildOptions,
) -> Result<Option<Rebuilt>, RebuildError> {
    let mut transaction = db.begin().await?;
    if !work.shadow.lock(&mut transaction, options.only_check).await? {
        transaction.rollback().await?;
        return Ok(None);
    }
    if let Some(target) = work.target(&mut transaction).await? {
        work.fill(&mut transaction, target).await?;
    }
    let orders = Shadow::count_orders(&mut transaction).await?;
    let mut differences = Vec::new();
    if options.only_check {
        differences = work.shadow.differences(&mut transaction, &options.views).await?;
    } else {
        replace(work, &mut transaction, &options.views).await?;
    }
    // In the same transaction: otherwise the next rebuild would resume with these tables.
    Shadow::clear(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Some(Rebuilt {
        position: work.reprojection.written,
        events: work.pages.events(),
        differences,
        orders,
        adopted: work.adopted.clone(),
    }))
}

async fn replace<T: Fn(Stage)>(work: &Work<'_, T>, db: &mut PgConnection, views: &[View]) -> Result<(), RebuildError> {
    if work.adopted.is_some()
        && let Some(through) = work.pages.through()
    {
        work.shadow.adopt(db, work.log_id, through).await?;
    }
    if !views.contains(&View::Parked) && work.shadow.parked_differ(db).await? {
        return Err(RebuildError::ParkedDiffer);
    }
    Ok(work.shadow.exchange(db, views).await?)
}
