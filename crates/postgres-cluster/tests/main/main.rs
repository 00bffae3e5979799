//! The cluster with a real server: start, bad ends, and the next start.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod databases;
mod downloads;
mod kills;
mod places;
mod rules;

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use postgres_cluster::{Cluster, Options};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// A folder that any user can reach, because the server may run as another user.
fn reachable_folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("tenuto-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Fast to initialise, which takes most of the time here.
fn fleeting(folder: impl Into<PathBuf>) -> Options {
    Options { durable: false, ..Options::new(folder) }
}

async fn connect(cluster: &Cluster, database: &str) -> PgConnection {
    PgConnection::connect(&cluster.url(database)).await.unwrap()
}

async fn execute(cluster: &Cluster, database: &str, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&mut connect(cluster, database).await).await.unwrap();
}

async fn number(cluster: &Cluster, database: &str, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&mut connect(cluster, database).await).await.unwrap()
}

async fn text(cluster: &Cluster, sql: &'static str) -> String {
    sqlx::query_scalar(sql).fetch_one(&mut connect(cluster, "postgres").await).await.unwrap()
}

/// Polls a condition, up to a limit that suffices for everything here.
fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "not within the limit: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process runs; an ended one that was not reaped does not.
fn runs(pid: u32) -> bool {
    let listed = std::process::Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    !matches!(String::from_utf8_lossy(&listed.stdout).trim().chars().next(), None | Some('Z'))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn entries(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
