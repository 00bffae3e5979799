//! Damage by the disk to the tables and journals of a log: it is reported, or has no effect on what
//! is read.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use super::event::TOMBSTONE_REVISION;
use super::mark::Mark;
use super::tests::{copy_of, journal, length, without_zeros};
use super::*;
use crate::filter::Filter;

/// Adds events, each with stream, revision and text, and returns the last position.
fn add(storage: &Storage, events: &[(&str, u64, &str)]) -> u64 {
    let mut last = storage.view().last_position().unwrap();
    let mut replay = Replay::onto(storage.view()).unwrap();
    for (stream, revision, data) in events {
        last += 1;
        let record = StoredEvent {
            stream: (*stream).into(),
            revision: *revision,
            // Some ids are used twice in their stream.
            id: Bytes::copy_from_slice(&u128::from(last - last % 50 % 2).to_be_bytes()),
            created: last,
            event_type: "Happened".into(),
            data: Bytes::copy_from_slice(data.as_bytes()),
            ..StoredEvent::default()
        };
        replay.add(last, record).unwrap();
    }
    storage.commit(&replay.into_batch()).unwrap();
    last
}

/// Moves the data in memory into tables, so that the journal is no longer needed.
fn into_tables(storage: &Storage) {
    for keyspace in storage.keyspaces.all() {
        keyspace.rotate_memtable_and_wait().unwrap();
    }
}

/// A log with most events in tables and the rest in the journal. Its streams are long and short,
/// truncated, deleted for good, and written twice under one id.
fn log() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).unwrap();
    let text = "x".repeat(300);
    for part in 0..6 {
        for round in 0..20 {
            let revision = part * 20 + round;
            let names = [format!("order-{part}-{round}"), format!("$$order-{part}-{round}")];
            let limits = format!(r#"{{"$maxCount":{}}}"#, round + 1);
            add(&storage, &[("long", revision, &text), (&names[0], 0, "a"), (&names[1], 0, &limits)]);
            add(&storage, &[(&names[0], 1, &text), (&names[0], 2, "b")]);
            if round % 7 == 0 {
                add(&storage, &[(&names[0], TOMBSTONE_REVISION, "")]);
            }
        }
        if part < 5 {
            into_tables(&storage);
        }
    }
    folder
}

/// Everything that readers can read in a log.
fn everything(storage: &Storage) -> Result<Vec<String>, StorageError> {
    let view = storage.view();
    let all = PageLimits { events: usize::MAX, bytes: usize::MAX, examined: usize::MAX };
    let mut read = Vec::new();
    for direction in [Direction::Forwards, Direction::Backwards] {
        for event in view.all_page(1..=u64::MAX, direction, &Filter::Everything, all)?.events {
            let record = &event.record;
            let stream = view.stream(&record.stream)?;
            let known = stream.map(|stream| view.revision_of(stream.number, &record.id)).transpose()?;
            read.push(format!("{event:?} {stream:?} {known:?} {:?}", view.limits(&record.stream)?));
            if record.revision == 0 {
                match view.stream_page(&record.stream, direction.first(), direction, all)? {
                    StreamPage::NotFound => read.push("not found".into()),
                    StreamPage::Deleted => read.push("deleted".into()),
                    StreamPage::Page { events, last, .. } => read.push(format!("{last} {events:?}")),
                }
            }
        }
    }
    Ok(read)
}

impl Direction {
    fn first(self) -> u64 {
        if self == Self::Forwards { 0 } else { u64::MAX }
    }
}

/// What readers can read in a damaged folder.
fn served(folder: &TempDir) -> Result<Vec<String>, StorageError> {
    let storage = Storage::open(folder.path())?;
    guarded(|| everything(&storage))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if length(&path) > 0 {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn manifest_beside(path: &Path) -> String {
    let current = std::fs::read(path.with_file_name("current")).unwrap_or_default();
    let number = current.first_chunk().map(|number| u64::from_le_bytes(*number));
    number.map(|number| format!("v{number}")).unwrap_or_default()
}

fn flip(path: &Path, bit: usize) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, bit as u64 / 8).unwrap();
    file.write_all_at(&[byte[0] ^ 1 << (bit % 8)], bit as u64 / 8).unwrap();
}

fn problems(folder: &TempDir) -> Vec<String> {
    check_log(folder.path()).unwrap().problems
}

#[test]
fn the_check_of_a_sound_log_reports_no_problem_and_the_counts() {
    let folder = log();
    let report = check_log(folder.path()).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!((report.events, report.last_position, report.streams), (618, 618, 241));
    assert!(report.tables > 10 && report.table_bytes > 10_000, "{report:?}");
    assert_eq!(report.mended, Vec::<String>::new());
}

/// `TENUTO_CRASH_ROUNDS` sets how many bits are flipped, each in a separate copy.
#[test]
fn a_bit_flipped_anywhere_is_reported_or_has_no_effect_on_what_is_read() {
    let original = log();
    let whole = served(&copy_of(&original)).unwrap();
    let rounds = std::env::var("TENUTO_CRASH_ROUNDS").map_or(40, |rounds| rounds.parse().unwrap());
    let (mut refused, mut reported) = (0, 0);
    for round in 0..rounds {
        let mut random = StdRng::seed_from_u64(round);
        let (read, checked) = (copy_of(&original), copy_of(&original));
        let paths = files(read.path());
        let path = paths[random.random_range(0..paths.len())].strip_prefix(read.path()).unwrap();
        let bit = random.random_range(0..without_zeros(&read.path().join(path)).len().max(1) * 8);
        flip(&read.path().join(path), bit);
        flip(&checked.path().join(path), bit);

        let place = format!("round {round}, bit {bit} of {}", path.display());
        let served = served(&read);
        let problems = problems(&checked);
        reported += u64::from(!problems.is_empty());
        match served {
            Ok(served) => assert!(served == whole, "{place}: something else is read"),
            Err(refusal) => {
                assert!(refusal.is_damage(), "{place}: {refusal}");
                assert!(!problems.is_empty(), "{place}: reading ends with {refusal}, and the check finds nothing");
                refused += 1;
            }
        }
    }
    println!("{rounds} bits flipped, {refused} times refused, {reported} times found by a check");
}

#[test]
fn the_check_finds_a_bit_flipped_in_a_table_and_names_the_file() {
    let folder = log();
    for path in files(folder.path()).iter().filter(|path| path.parent().unwrap().ends_with("tables")) {
        let bit = length(path) * 4;
        flip(path, bit);
        let found = problems(&copy_of(&folder));
        flip(path, bit);
        let name = path.strip_prefix(folder.path()).unwrap().to_str().unwrap();
        assert!(found.iter().any(|problem| problem.contains(name)), "{name}: {found:?}");
    }
}

#[test]
fn a_bit_flipped_in_a_manifest_or_in_a_tables_list_of_contents_is_refused_with_the_files_name() {
    let folder = log();
    for path in files(folder.path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let bytes = length(&path);
        let examined = match name {
            "current" | "version" => 0..bytes,
            // Earlier manifests stay on the disk, and the engine does not read them.
            name if name == manifest_beside(&path) => 0..bytes,
            _ if path.parent().unwrap().ends_with("tables") => bytes - 38..bytes,
            _ => continue,
        };
        // All bits would take minutes.
        for byte in examined.step_by(17) {
            flip(&path, byte * 8 + byte % 8);
            let opened = Storage::open(copy_of(&folder).path()).map(drop);
            flip(&path, byte * 8 + byte % 8);
            let named = opened.as_ref().is_err_and(|refusal| refusal.is_damage() && refusal.to_string().contains(name));
            assert!(named, "byte {byte} of {}: {opened:?}", path.display());
        }
    }
}

#[test]
fn tables_are_not_taken_for_leftovers_if_their_list_is_missing() {
    let folder = log();
    let last = Storage::open(folder.path()).unwrap().view().last_position().unwrap();
    let lists: Vec<_> = files(folder.path()).into_iter().filter(|path| path.ends_with("current")).collect();
    assert_eq!(lists.len(), 8);
    for list in lists {
        let copy = copy_of(&folder);
        std::fs::remove_file(copy.path().join(list.strip_prefix(folder.path()).unwrap())).unwrap();
        let before = files(copy.path());
        if list.ends_with("7/current") {
            // The state after a kill while a log of an earlier version got this keyspace, which has
            // no tables yet.
            assert_eq!(Storage::open(copy.path()).unwrap().view().last_position().unwrap(), last);
            continue;
        }
        let refusal = Storage::open(copy.path()).map(drop).unwrap_err();
        assert!(refusal.is_damage() && refusal.to_string().contains("current"), "{refusal}");
        assert_eq!(files(copy.path()), before);
    }
}

/// The numbers of batches have no checksum. If the first batch of the journals got the number of a
/// batch that is in the tables, the engine would skip it and lose it.
#[test]
fn a_first_batch_that_the_engine_skips_because_of_its_number_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).unwrap();
    for revision in 0..70 {
        add(&storage, &[("order-1", revision, "a")]);
    }
    into_tables(&storage);
    let flushed = without_zeros(&journal(&folder));
    let flushed = flushed.windows(4).rposition(|window| window == b"FJL\x03").unwrap() + 4;
    add(&storage, &[("order-1", 70, "b"), ("$$order-1", 0, r#"{"$maxCount":3}"#)]);
    add(&storage, &[("order-1", 71, "c")]);
    drop(storage);
    // The state after the journal grew so large that the part that is in the tables was dropped.
    let rest = without_zeros(&journal(&folder)).split_off(flushed);
    std::fs::write(journal(&folder), rest).unwrap();
    served(&copy_of(&folder)).unwrap();

    let number = u64::from_le_bytes(without_zeros(&journal(&folder))[5..13].try_into().unwrap());
    let mut refused = 0;
    for bit in (0..20).filter(|bit| number >> bit & 1 == 1) {
        let copy = copy_of(&folder);
        flip(&journal(&copy), 5 * 8 + bit);
        match Storage::open(copy.path()).map(drop) {
            Ok(()) => assert_eq!(served(&copy).unwrap(), served(&folder).unwrap(), "bit {bit} of {number}"),
            Err(refusal) => {
                assert!(refusal.to_string().contains("position 71"), "{refusal}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "no bit of {number} made a difference");
}

#[test]
fn a_row_that_does_not_agree_with_the_events_is_named() {
    type Harm = fn(&Storage) -> Result<(), fjall::Error>;
    let harms: [(Harm, &str); 12] = [
        (|log| log.keyspaces.events.remove(keys::position(3)), "position 3: the event is missing"),
        (|log| log.keyspaces.events.insert(keys::position(3), b"\xff"), "position 3: the log is damaged"),
        (|log| log.keyspaces.streams.remove("a"), r#"position 1, revision 0 of "a": the row of its stream is missing"#),
        (
            |log| {
                let row = StoredStream { number: 1, last_revision: Some(0), tombstoned: false };
                log.keyspaces.streams.insert("a", row.encode_to_vec())
            },
            r#"position 2, revision 1 of "a": the row of its stream has an earlier last revision"#,
        ),
        (
            |log| {
                let row = StoredStream { number: 1, last_revision: Some(2), tombstoned: false };
                log.keyspaces.streams.insert("a", row.encode_to_vec())
            },
            r#"the stream "a": the row of its last revision, 2, is missing"#,
        ),
        (
            |log| {
                let row = StoredStream { number: 4, last_revision: Some(0), tombstoned: false };
                log.keyspaces.streams.insert("b", row.encode_to_vec())
            },
            r#"the stream "b": it has a tombstone, but its row does not mark it as deleted for good"#,
        ),
        (
            |log| log.keyspaces.revisions.remove(keys::revision(1, 0)),
            r#"position 1, revision 0 of "a": the row of its revision is missing"#,
        ),
        (
            |log| log.keyspaces.revisions.insert(keys::revision(1, 2), keys::position(4)),
            "revisions, revision 2 of the stream that begins at position 1: it has the position of another revision",
        ),
        (|log| log.keyspaces.ids.remove(keys::id(1, &2_u128.to_be_bytes())), "the row of its id is missing"),
        (
            |log| log.keyspaces.ids.insert(keys::id(1, &9_u128.to_be_bytes()), 1_u64.to_be_bytes()),
            "of the stream that begins at position 1: it leads to an event that is missing or has another id",
        ),
        (|log| log.keyspaces.limits.remove("a"), r#"the stream "$$a": its metadata sets Some("#),
        (
            |log| log.keyspaces.limits.insert("b", StoredLimits::default().encode_to_vec()),
            r#"limits, "b": no metadata sets it"#,
        ),
    ];
    for (harm, expected) in harms {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).unwrap();
        add(&storage, &[("a", 0, ""), ("a", 1, ""), ("$$a", 0, r#"{"$tb":1}"#), ("b", 0, "")]);
        add(&storage, &[("b", TOMBSTONE_REVISION, ""), ("c", TOMBSTONE_REVISION, "")]);
        into_tables(&storage);
        drop(storage);
        assert_eq!(problems(&folder), Vec::<String>::new());
        let storage = Storage::open(folder.path()).unwrap();
        harm(&storage).unwrap();
        drop(storage);
        let found = problems(&folder);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}: {found:#?}");
    }
}

#[test]
fn the_check_of_a_log_full_of_problems_stops_early() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).unwrap();
    for revision in 0..300 {
        add(&storage, &[("order-1", revision, "")]);
    }
    into_tables(&storage);
    storage.keyspaces.streams.remove("order-1").unwrap();
    drop(storage);
    let report = check_log(folder.path()).unwrap();
    assert!(report.gave_up && report.problems.len() == 100, "{report:?}");
}

#[test]
fn what_opening_repairs_is_reported_and_is_no_problem() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).unwrap();
    add(&storage, &[("order-1", 0, "a")]);
    add(&storage, &[("order-1", 1, "b")]);
    drop(storage);
    Mark::open(folder.path()).unwrap().set(1).unwrap();
    let end = without_zeros(&journal(&folder)).windows(4).rposition(|window| window == b"FJL\x03").unwrap();
    File::options().write(true).open(journal(&folder)).unwrap().set_len(end as u64).unwrap();

    let report = check_log(folder.path()).unwrap();
    assert!(report.is_sound() && report.last_position == 1, "{report:?}");
    assert!(report.mended[0].contains("0.jnl: cut off at byte "), "{report:?}");
    assert_eq!(check_log(folder.path()).unwrap().mended, Vec::<String>::new());
}

#[test]
fn a_folder_without_a_log_or_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(check_log(folder.path()), Err(StorageError::Missing)));
    assert!(matches!(check_log(&folder.path().join("none")), Err(StorageError::Missing)));
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    let _open = Storage::open(folder.path()).unwrap();
    assert!(matches!(check_log(folder.path()), Err(StorageError::InUse)));
}
