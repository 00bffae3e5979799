//! Groups without a network: what happens when consumers leave.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::consumer::ConsumerName;
use super::engine::{Command, Connected, Handle};
use super::settings::{GroupKey, Settings, Start, Strategy};
use super::{Books, Groups, describe};
use crate::log::Log;
use crate::reader::Reader;
use crate::recent::Recent;
use crate::writer::Writer;

/// The time limit of each wait in a test.
const LIMIT: Duration = Duration::from_secs(20);

/// A running group that takes this many consumers.
async fn group(max_subscriber_count: u32) -> (Handle, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(Log::open(folder.path(), 0).unwrap());
    let recent = Arc::new(Recent::default());
    let (head_sender, head) = watch::channel(0);
    let (writer, _) = Writer::start(log.clone(), recent.clone(), head_sender, 1 << 20, Arc::default()).unwrap();
    let (closing, tasks) = (CancellationToken::new(), TaskTracker::new());
    let reader = Reader { log, recent, head, closing: closing.clone(), held: tasks.token() };
    let groups = Groups::open(Books { reader, writer }, closing, tasks).await.unwrap();
    let key = GroupKey { source: "order-1".into(), group: "billing".into() };
    let settings = Settings {
        resolve_link_tos: false,
        extra_statistics: false,
        message_timeout: 0,
        max_retry_count: 10,
        check_point_after: 1000,
        min_check_point_count: 10,
        max_check_point_count: 1000,
        max_subscriber_count,
        live_buffer_size: 500,
        read_batch_size: 20,
        history_buffer_size: 500,
        named_consumer_strategy: Strategy::RoundRobin,
    };
    groups.create(key.clone(), settings, Start::Beginning, None).await.unwrap().unwrap();
    (groups.find(&key).await.unwrap(), folder)
}

fn connect() -> (Command, oneshot::Receiver<Option<Connected>>) {
    let (answer, connected) = oneshot::channel();
    let who = ConsumerName { from: "127.0.0.1:1".into(), name: "a".into() };
    (Command::Connect { who, slots: 1, answer }, connected)
}

async fn connected(group: &Handle) -> Option<Connected> {
    let (command, connected) = connect();
    group.send(command).await.ok().unwrap();
    connected.await.unwrap()
}

async fn until_consumers(group: &Handle, count: usize) {
    let reached = async {
        while describe(group).await.unwrap().consumers.len() != count {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, reached).await.expect("consumers that left are still there");
}

#[tokio::test]
async fn however_many_consumers_leave_at_once_the_group_sees_each_of_them() {
    let (group, _folder) = group(0).await;
    let mut consumers = Vec::new();
    for _ in 0..600 {
        consumers.push(connected(&group).await.unwrap());
    }
    until_consumers(&group, 600).await;
    let stays = consumers.split_off(599);
    drop(consumers);
    until_consumers(&group, 1).await;
    drop(stays);
    until_consumers(&group, 0).await;
}

#[tokio::test]
async fn a_consumer_that_gave_up_before_it_was_connected_takes_no_place() {
    let (group, _folder) = group(1).await;
    let (command, gave_up) = connect();
    drop(gave_up);
    group.send(command).await.ok().unwrap();
    until_consumers(&group, 0).await;
    assert!(connected(&group).await.is_some(), "its place is free");
}
