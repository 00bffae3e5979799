//! Checks that a log is complete, and that everything in it agrees with its events.
//!
//! There are three steps, each with constant memory. First, whole tables are read and compared with
//! their checksums. Second, the log is opened, which checks the journal. Third, every row is
//! checked ([`super::walk`]).

use std::path::Path;
use std::time::Instant;

use super::error::guarded;
use super::folder::{acknowledged, is_made, lock};
use super::journal::Acknowledged;
use super::report::CheckReport;
use super::walk::Walk;
use super::{Storage, StorageError, tables};

/// Checks the log in a folder that no node is using. Changes only what opening the log would
/// change.
///
/// Damage is listed in the report. An error means that the log could not be checked.
pub fn check_log(folder: &Path) -> Result<CheckReport, StorageError> {
    if !is_made(folder)? {
        return Err(StorageError::Missing);
    }
    let begun = Instant::now();
    let mut report = CheckReport::default();
    let acknowledged = acknowledged(folder)?;
    check_tables(folder, acknowledged, &mut report)?;
    match Storage::open_repaired(folder, acknowledged) {
        Ok(storage) => {
            report.mended = storage.repairs.cut.iter().map(ToString::to_string).collect();
            if let Err(error) = guarded(|| Walk::through(&storage.view(), &mut report)) {
                report.note("the log", error);
            }
        }
        Err(error) if error.is_damage() => report.note("on opening", error),
        Err(error) => return Err(error),
    }
    report.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}

fn check_tables(folder: &Path, acknowledged: Acknowledged, report: &mut CheckReport) -> Result<(), StorageError> {
    let _lock = lock(folder)?;
    let is_used = acknowledged.position() > 0;
    for keyspace in tables::keyspaces(folder)? {
        let in_use = match tables::in_use(&keyspace, is_used) {
            Ok(in_use) => in_use,
            Err(error) => {
                report.note("tables", error);
                continue;
            }
        };
        for table in in_use {
            match table.verify() {
                Ok(bytes) => {
                    report.tables += 1;
                    report.table_bytes += bytes;
                }
                Err(error) => report.note("tables", error),
            }
        }
    }
    Ok(())
}
