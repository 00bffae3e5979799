//! Compares the views with the log, on all cores.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::ids::OrderId;
use event_store::EventStore;
use leader_consumer::Mismatch;
use projector::compare::{CompareError, Compared, Comparison, Range, ranges};
use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use views::LogCheckError;

use super::error::AuditError;
use super::findings::{Finding, Findings};
use super::walk::{Walking, cores};
use command_line::progress::{Counts, Progress};
use servers::log::Log;

/// How many orders are compared in one snapshot.
const ORDERS: usize = 100;

/// The position of the views. `None`: the views are empty. If the log ends before it, the log was
/// cut off.
pub(super) async fn checkpoint(log: &Log, pool: &PgPool, findings: &mut Findings) -> Result<Option<u64>, AuditError> {
    let mut comparison = Comparison::open(pool, log.store.clone()).await?;
    let checkpoint = comparison.checkpoint().await?.map(|position| position.commit);
    // Read afterwards, because the views are never ahead of the log.
    let end = log.end().await?;
    if let Some(checkpoint) = checkpoint.filter(|checkpoint| *checkpoint > end) {
        let reason =
            format!("ends at position {end}, and the views are at position {checkpoint}: events were cut off its end");
        findings.add(Finding::Log { reason });
    }
    Ok(checkpoint)
}

/// Whether the views were made from another log. A comparison would then list every order.
pub(super) async fn of_another_log(log: &Log, pool: &PgPool) -> Result<Option<String>, AuditError> {
    match views::compare_log(&log.store, pool).await {
        Ok(Some(mismatch @ Mismatch::OtherLog { .. })) => {
            Ok(Some(format!("is not the one that the views were made from: {mismatch}; name the database of this log")))
        }
        Ok(_) => Ok(None),
        // The database of an earlier version, which does not record its log.
        Err(LogCheckError::Database(error)) if is_older_schema(&error) => Ok(None),
        Err(LogCheckError::Database(error)) => Err(error.into()),
        Err(LogCheckError::Origin(error)) => Err(AuditError::Broken(error.to_string())),
    }
}

/// A finding about the orders whose keys are missing, if any.
pub(super) async fn missing_keys(pool: &PgPool) -> Result<Option<String>, AuditError> {
    match views::keyless(pool).await {
        Ok(keyless) => Ok((keyless.orders > 0).then(|| keyless.to_string())),
        Err(error) if is_older_schema(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// SQLSTATE class 42: a table or a column is missing.
fn is_older_schema(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code.starts_with("42"))
}

/// Compares one order's rows in the views.
pub(super) async fn one(log: &Log, pool: &PgPool, order: &OrderId, findings: &mut Findings) -> Result<(), AuditError> {
    let mut comparison = Comparison::open(pool, log.store.clone()).await?;
    let compared = comparison.orders(&Range::of(order), std::slice::from_ref(order)).await?;
    findings.extend(found(compared));
    Ok(())
}

/// Compares all views. `orders` are the log's orders, sorted, and `definitions` its streams
/// of workflows and webhooks. The progress is shown as that of the walk was.
pub(super) async fn all(
    log: &Log,
    pool: &PgPool,
    orders: Vec<OrderId>,
    definitions: &BTreeSet<String>,
    walked: &Progress<Walking>,
    findings: &mut Findings,
) -> Result<(), AuditError> {
    let mut comparison = Comparison::open(pool, log.store.clone()).await?;
    findings.extend(found(comparison.definitions(definitions).await?));

    let progress = walked.alike(Comparing { total: orders.len() as u64, ..Comparing::default() });
    let orders = Arc::new(orders);
    let workers = cores();
    let (sender, mut receiver) = mpsc::channel(workers);
    let mut working = JoinSet::new();
    for worker in 0..workers {
        let (pool, store, orders, sender) = (pool.clone(), log.store.clone(), orders.clone(), sender.clone());
        working.spawn(async move { work(&pool, store, &orders, (worker, workers), &sender).await });
    }
    drop(sender);
    let mut orders_right = true;
    while let Some((orders, compared)) = receiver.recv().await {
        orders_right &= compared.has_orders_right();
        findings.extend(found(compared));
        let differences = findings.count();
        progress.change(|comparing| {
            comparing.done += orders;
            comparing.differences = differences;
        });
    }
    progress.finish();
    while let Some(worked) = working.join_next().await {
        worked.map_err(|error| AuditError::Broken(error.to_string()))??;
    }
    if orders_right {
        findings.extend(found(comparison.counts().await?));
    }
    Ok(())
}

/// Every n-th range.
async fn work(
    pool: &PgPool,
    store: EventStore,
    orders: &[OrderId],
    (worker, workers): (usize, usize),
    results: &mpsc::Sender<(u64, Compared)>,
) -> Result<(), CompareError> {
    let mut comparison = Comparison::open(pool, store).await?;
    for (range, orders) in ranges(orders, ORDERS).skip(worker).step_by(workers) {
        let compared = comparison.orders(&range, orders).await?;
        if results.send((orders.len() as u64, compared)).await.is_err() {
            // Another worker has failed, and the result is no longer needed.
            break;
        }
    }
    Ok(())
}

fn found(Compared { differences, unreadable }: Compared) -> impl Iterator<Item = Finding> {
    let streams = unreadable.into_iter().map(|(stream, reason)| Finding::Stream { stream, reason });
    streams.chain(differences.into_iter().map(Finding::from))
}

/// The progress of the comparison.
#[derive(Debug, Default)]
struct Comparing {
    done: u64,
    total: u64,
    differences: u64,
}

impl Counts for Comparing {
    fn total(&self) -> Option<u64> {
        Some(self.total)
    }

    fn done(&self) -> u64 {
        self.done
    }

    fn in_words(&self) -> String {
        format!("views: {} of {} orders compared, {} differences so far", self.done, self.total, self.differences)
    }
}
