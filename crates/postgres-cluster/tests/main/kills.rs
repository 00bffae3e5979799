//! The state after a `kill -9` of the server, or of the process that runs it.

use std::{
    io::{BufRead, BufReader},
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use postgres_cluster::{Cluster, Options};
use rustix::process::{Pid, Signal, kill_process};

use crate::{eventually, execute, number, reachable_folder, runs};

const FOLDER: &str = "TENUTO_TEST_FOLDER";

#[tokio::test]
async fn a_killed_server_is_noticed_and_can_be_started_again() {
    let folder = reachable_folder();
    let options = Options::new(folder.path().join("postgres"));
    let cluster = Cluster::start(options.clone()).await.unwrap();
    execute(&cluster, "postgres", "CREATE TABLE t AS SELECT 7::bigint AS n").await;

    let pid = Pid::from_raw(cluster.pid().unwrap().cast_signed()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let exit = cluster.exited().await;
    assert!(exit.to_string().contains("signal: 9"), "{exit}");
    assert_eq!(cluster.pid(), None);
    drop(cluster);

    let cluster = Cluster::start(options).await.unwrap();
    assert_eq!(number(&cluster, "postgres", "SELECT n FROM t").await, 7);
    cluster.stop().await;
}

#[tokio::test]
async fn a_server_does_not_outlive_a_killed_process_and_the_next_can_start() {
    let folder = reachable_folder();
    let home = folder.path().join("postgres");
    let (mut parent, server) = process_with_a_cluster(&home, |_| {});
    parent.kill().unwrap();
    parent.wait().unwrap();
    // Without support of the kernel, the next start stops it.
    if cfg!(target_os = "linux") {
        eventually("the server ends with the process that started it", || !runs(server));
    }
    assert_started_anew(&home, server).await;
}

#[tokio::test]
async fn an_orphaned_server_is_stopped_by_the_next_start() {
    let folder = reachable_folder();
    let home = folder.path().join("postgres");
    // A system without `setpriv`: this `PATH` has only the needed programs.
    let path = folder.path().join("path");
    std::fs::create_dir(&path).unwrap();
    for program in ["id", "initdb", "postgres"] {
        if let Some(found) = on_path(program) {
            std::os::unix::fs::symlink(found, path.join(program)).unwrap();
        }
    }
    let (mut parent, server) = process_with_a_cluster(&home, |command| {
        command.env("PATH", &path);
    });
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert!(runs(server), "no signal stopped it");
    assert_started_anew(&home, server).await;
}

#[tokio::test]
async fn a_reused_process_id_does_not_block_the_next_start() {
    let folder = reachable_folder();
    let options = Options::new(folder.path().join("postgres"));
    let cluster = Cluster::start(options.clone()).await.unwrap();
    let pid_file = cluster.data_folder().join("postmaster.pid");
    let recorded = std::fs::read_to_string(&pid_file).unwrap();
    let owner = cluster.data_folder().metadata().unwrap();
    cluster.stop().await;

    let mut stranger = Command::new("sleep");
    if crate::is_root() {
        stranger.uid(owner.uid()).gid(owner.gid());
    }
    let mut stranger = stranger.arg("600").spawn().unwrap();
    let (_, rest) = recorded.split_once('\n').unwrap();
    std::fs::write(&pid_file, format!("{}\n{rest}", stranger.id())).unwrap();

    let cluster = Cluster::start(options).await;
    assert!(runs(stranger.id()), "it was left alone");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    cluster.unwrap().stop().await;
}

/// Not a test: the process that the tests above start and kill. Without a folder it does nothing.
#[tokio::test]
async fn a_process_that_runs_a_cluster_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let cluster = Cluster::start(Options::new(folder)).await.unwrap();
    execute(&cluster, "postgres", "CREATE TABLE t AS SELECT 7::bigint AS n").await;
    println!("\nserver={}", cluster.pid().unwrap());
    std::future::pending::<()>().await;
}

/// Starts that process. Returns it and its server.
fn process_with_a_cluster(home: &Path, prepare: impl FnOnce(&mut Command)) -> (Child, u32) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "kills::a_process_that_runs_a_cluster_until_it_is_killed", "--nocapture"])
        .env(FOLDER, home)
        .stdout(Stdio::piped());
    prepare(&mut command);
    let mut process = command.spawn().unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    let server = output.lines().find_map(|line| line.unwrap().strip_prefix("server=").map(|pid| pid.parse().unwrap()));
    (process, server.expect("the process starts a cluster and names its server"))
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.exists())
}

async fn assert_started_anew(home: &Path, earlier: u32) {
    let cluster = Cluster::start(Options::new(home)).await.unwrap();
    assert!(!runs(earlier));
    assert_eq!(number(&cluster, "postgres", "SELECT n FROM t").await, 7);
    cluster.stop().await;
}
