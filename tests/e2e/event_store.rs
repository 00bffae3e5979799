//! Maintenance of the embedded log: check and backup.

use std::path::Path;
use std::process::Output;

use event_store::{EventStore, Expected, NewEvent};
use serde_json::Value;
use uuid::Uuid;

use crate::process::{Process, binary, output_text};

/// Runs a command on the log, with the folder as its last argument.
fn run(arguments: &[&str], folder: &Path) -> Output {
    binary().arg("event-store").args(arguments).arg(folder).output().unwrap()
}

fn events(count: usize) -> Vec<NewEvent> {
    let event =
        || NewEvent { id: Uuid::new_v4(), event_type: "Happened".into(), data: "{}".into(), metadata: "".into() };
    std::iter::repeat_with(event).take(count).collect()
}

fn flip_a_bit_in_a_table(data: &Path) -> String {
    let keyspaces = data.join("event-store/keyspaces");
    // The engine's own keyspace, which has tables from the start.
    let table = keyspaces.join("0/tables").read_dir().unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&table).unwrap();
    bytes[10] ^= 4;
    std::fs::write(&table, bytes).unwrap();
    table.display().to_string()
}

#[tokio::test]
async fn a_backup_without_any_event_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let mut node = Process::start(&["event-store", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"], &[]);
    let log = node.line_after("the log at ");
    let of_nothing = run(&["backup", "--from", &log, "--to"], &copy);
    assert_eq!(of_nothing.status.code(), Some(2), "{}", output_text(&of_nothing));
    assert!(!copy.exists(), "an empty log was backed up");
    node.kill();
    let of_nobody = run(&["backup", "--from", &log, "--to"], &copy);
    assert_eq!(of_nobody.status.code(), Some(2), "{}", output_text(&of_nobody));
    assert!(!copy.exists(), "a log that cannot be reached was backed up");
}

#[tokio::test]
async fn a_running_log_is_backed_up_and_a_stopped_one_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let data_argument = data.to_str().unwrap();
    let mut node = Process::start(&["event-store", "--data", data_argument, "--listen", "127.0.0.1:0"], &[]);
    let log = node.line_after("the log at ");
    let store = EventStore::connect(&log).unwrap();
    store.append("order-1", Expected::NoStream, events(3)).await.unwrap();

    let refused = run(&["check", "--data"], &data);
    assert_eq!(refused.status.code(), Some(2));
    assert!(output_text(&refused).contains("is in use by process"), "{}", output_text(&refused));

    let made = run(&["backup", "--from", &log, "--to"], &copy);
    assert!(made.status.success() && output_text(&made).contains("3 events added"), "{}", output_text(&made));
    store.append("order-1", Expected::Revision(2), events(2)).await.unwrap();
    let brought_up_to_date = run(&["backup", "--from", &log, "--to"], &copy);
    assert!(output_text(&brought_up_to_date).contains("2 events added"), "{}", output_text(&brought_up_to_date));
    node.kill();

    for data in [&data, &copy] {
        let checked = run(&["check", "--data"], data);
        assert!(checked.status.success(), "{}", output_text(&checked));
        assert!(
            output_text(&checked).contains("5 events in 1 streams, up to position 5;"),
            "{}",
            output_text(&checked)
        );
    }
    let mut restored =
        Process::start(&["event-store", "--data", copy.to_str().unwrap(), "--listen", "127.0.0.1:0"], &[]);
    let store = EventStore::connect(&restored.line_after("the log at ")).unwrap();
    let appended = store.append("order-1", Expected::Revision(4), events(1)).await.unwrap();
    assert_eq!(appended.position.commit, 6);
    restored.kill();

    let table = flip_a_bit_in_a_table(&data);
    let damaged = run(&["check", "--json", "--data"], &data);
    assert_eq!(damaged.status.code(), Some(1), "{}", output_text(&damaged));
    let report: Value = serde_json::from_slice(&damaged.stdout).unwrap();
    let problems: Vec<_> = report["problems"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(problems.iter().any(|problem| problem.contains(&table)), "{problems:?}");

    let missing = run(&["check", "--data"], &folder.path().join("none"));
    assert_eq!(missing.status.code(), Some(2));
    assert!(output_text(&missing).contains("there is no log"), "{}", output_text(&missing));
}
