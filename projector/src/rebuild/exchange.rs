//! The exchange of the rebuilt views with the live ones, in one transaction. First the new tables
//! catch up with the live ones, which no process changes meanwhile.

use sqlx::{Connection, PgConnection};

use super::{RebuildError, RebuildOptions, Rebuilt, Stage, View, Work};

/// Tries once; `None`: other clients held the tables.
pub(super) async fn attempt<T: Fn(Stage)>(
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
    let orders = work.shadow.count_orders(&mut transaction).await?;
    let mut differences = Vec::new();
    if options.only_check {
        differences = work.shadow.differences(&mut transaction, &options.views).await?;
    } else {
        replace(work, &mut transaction, &options.views).await?;
    }
    // In the same transaction: otherwise the next rebuild would resume with these tables.
    work.shadow.clear(&mut transaction).await?;
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
