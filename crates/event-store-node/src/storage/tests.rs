//! What a crash or the disk can do to a folder, and the result of opening it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tempfile::TempDir;

use super::files::ENGINE_VERSION;
use super::mark::Mark;
use super::*;

/// A folder with a log that has a batch for each number, with that many events.
fn log_of(batches: &[usize]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).unwrap();
    for &events in batches {
        add(&storage, events);
    }
    folder
}

fn add(storage: &Storage, events: usize) {
    let first = storage.view().last_position().unwrap() + 1;
    let mut batch = Batch::default();
    for position in first..first + events as u64 {
        let record = StoredEvent {
            stream: "order-1".into(),
            revision: position - 1,
            id: Bytes::copy_from_slice(&u128::from(position).to_be_bytes()),
            event_type: "Happened".into(),
            data: vec![b'x'; 20].into(),
            ..StoredEvent::default()
        };
        batch.streams.insert(
            "order-1".into(),
            StoredStream { number: 1, last_revision: Some(record.revision), tombstoned: false },
        );
        batch.events.push((1, Arc::new(Event { position, record })));
    }
    storage.commit(&batch).unwrap();
}

pub(super) fn journal(folder: &TempDir) -> PathBuf {
    folder.path().join("0.jnl")
}

/// Where each batch of the journal begins, and where the last one ends.
fn boundaries(folder: &TempDir) -> Vec<usize> {
    let bytes = without_zeros(&journal(folder));
    let mut ends = vec![0];
    let ended = |window: (usize, &[u8])| (window.1 == b"FJL\x03").then_some(window.0 + 4);
    ends.extend(bytes.windows(4).enumerate().filter_map(ended));
    ends
}

/// The last position, or the error on opening.
fn opened(folder: &TempDir) -> Result<u64, String> {
    let storage = Storage::open(folder.path()).map_err(|error| error.to_string())?;
    storage.view().last_position().map_err(|error| error.to_string())
}

/// The folder after a crash in the middle of a commit: the last batch is on disk, and was not
/// acknowledged.
fn last_batch_not_acknowledged(batches: &[usize]) -> TempDir {
    let folder = log_of(batches);
    let acknowledged: usize = batches[..batches.len() - 1].iter().sum();
    Mark::open(folder.path()).unwrap().set(acknowledged as u64).unwrap();
    folder
}

pub(super) fn length(path: &Path) -> usize {
    usize::try_from(path.metadata().unwrap().len()).unwrap()
}

fn write_at(path: &Path, offset: usize, bytes: &[u8]) {
    File::options().write(true).open(path).unwrap().write_all_at(bytes, offset as u64).unwrap();
}

fn flip(folder: &TempDir, byte: usize) {
    let before = std::fs::read(journal(folder)).unwrap()[byte];
    write_at(&journal(folder), byte, &[before ^ 1 << (byte % 8)]);
}

pub(super) fn copy_of(folder: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_into(folder.path(), copy.path());
    copy
}

/// A file up to the point where only zeros follow. A journal is allocated large, and sparse.
pub(super) fn without_zeros(path: &Path) -> Vec<u8> {
    const BLOCK: usize = 4096;
    let mut bytes = std::fs::read(path).unwrap();
    let blocks = bytes.chunks(BLOCK).rposition(|block| *block != [0; BLOCK][..block.len()]).map_or(0, |last| last + 1);
    bytes.truncate(blocks * BLOCK);
    bytes
}

fn copy_into(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_into(&entry.path(), &target);
        } else {
            // A few zeros are enough in place of all.
            let bytes = [without_zeros(&entry.path()), vec![0; 100]].concat();
            std::fs::write(&target, &bytes[..bytes.len().min(length(&entry.path()))]).unwrap();
        }
    }
}

#[test]
fn a_batch_that_is_cut_anywhere_and_was_not_acknowledged_is_removed() {
    let original = last_batch_not_acknowledged(&[2, 3, 1]);
    let [.., start, end] = boundaries(&original)[..] else { panic!("there are batches") };
    for cut in (start..end).step_by(5) {
        let folder = copy_of(&original);
        File::options().write(true).open(journal(&folder)).unwrap().set_len(cut as u64).unwrap();
        assert_eq!(opened(&folder), Ok(5), "cut at byte {cut} of {start}..{end}");
        assert_eq!(opened(&folder), Ok(5), "and opened once more");
    }
}

#[test]
fn a_batch_whose_end_is_zeros_and_that_was_not_acknowledged_is_removed() {
    let original = last_batch_not_acknowledged(&[2, 3, 1]);
    let [.., start, end] = boundaries(&original)[..] else { panic!("there are batches") };
    for zeros_from in (start..end).step_by(7) {
        let folder = copy_of(&original);
        write_at(&journal(&folder), zeros_from, &vec![0; end - zeros_from]);
        assert_eq!(opened(&folder), Ok(5), "zeros from byte {zeros_from} of {start}..{end}");
    }
}

#[test]
fn a_journal_that_ends_before_the_acknowledged_position_is_refused_with_the_place_and_left_alone() {
    let original = log_of(&[2, 3, 1]);
    let boundaries = boundaries(&original);
    let [.., first, _, end] = boundaries[..] else { panic!("there are batches") };
    for cut in (first..end).step_by(5) {
        let folder = copy_of(&original);
        File::options().write(true).open(journal(&folder)).unwrap().set_len(cut as u64).unwrap();
        let whole = boundaries.iter().rfind(|boundary| **boundary <= cut).unwrap();
        let refusal = opened(&folder).unwrap_err();
        assert!(refusal.contains(&format!("0.jnl, byte {whole}: ")), "cut at byte {cut}: {refusal}");
        assert_eq!(length(&journal(&folder)), cut);
    }
}

#[test]
fn a_bit_flipped_anywhere_in_acknowledged_batches_is_refused_with_the_place() {
    let original = log_of(&[2, 3, 1]);
    let boundaries = boundaries(&original);
    let [.., first, _, end] = boundaries[..] else { panic!("there are batches") };
    let mut kept = 0;
    for byte in (first..end).step_by(2) {
        let folder = copy_of(&original);
        flip(&folder, byte);
        let begin = boundaries.iter().rfind(|boundary| **boundary <= byte).unwrap();
        match opened(&folder) {
            Err(refusal) => {
                // For a number out of order, the refusal names the batch after it.
                let places = boundaries.iter().filter(|boundary| *boundary >= begin);
                let named = places.into_iter().any(|place| refusal.contains(&format!("0.jnl, byte {place}: ")));
                assert!(named, "byte {byte}: {refusal}");
            }
            // A different batch number is accepted as long as the order is the same.
            Ok(position) => {
                assert!((5..13).contains(&(byte - begin)), "byte {byte} of the batch at {begin}");
                assert_eq!(position, 6);
                kept += 1;
            }
        }
    }
    assert!(kept < 8, "{kept} flips of sequence numbers were not noticed");
}

#[test]
fn a_bit_flipped_in_a_batch_with_others_behind_it_is_refused_even_without_a_mark() {
    let original = log_of(&[2, 3, 1]);
    std::fs::remove_file(original.path().join("acknowledged")).unwrap();
    let [.., begin, end, _] = boundaries(&original)[..] else { panic!("there are batches") };
    for byte in (begin..end).step_by(3).filter(|byte| !(5..13).contains(&(byte - begin))) {
        let folder = copy_of(&original);
        flip(&folder, byte);
        let refusal = opened(&folder).unwrap_err();
        assert!(refusal.contains(&format!("0.jnl, byte {begin}: ")), "byte {byte}: {refusal}");
    }
}

#[test]
fn opening_again_after_a_failed_write_removes_what_was_not_acknowledged() {
    let folder = last_batch_not_acknowledged(&[2, 3, 1]);
    let storage = Storage::open_again(folder.path(), 5).unwrap();
    assert_eq!(storage.view().last_position().unwrap(), 5);
    add(&storage, 2);
    drop(storage);
    assert_eq!(opened(&folder), Ok(7));
}

#[test]
fn a_log_that_lost_its_journal_is_refused() {
    let folder = log_of(&[2, 3]);
    std::fs::write(journal(&folder), b"").unwrap();
    let refusal = opened(&folder).unwrap_err();
    let fault = "the log ends with position 0, but 5 was acknowledged";
    assert_eq!(refusal, format!("the log is damaged: {}, byte 0: {fault}", journal(&folder).display()));
}

#[test]
fn a_journal_that_ends_before_its_first_event_is_refused_with_the_place() {
    let original = log_of(&[2, 3]);
    let boundaries = boundaries(&original);
    let [.., first_event, _, _] = boundaries[..] else { panic!("there are batches") };
    for cut in (0..=first_event).step_by(7) {
        let folder = copy_of(&original);
        File::options().write(true).open(journal(&folder)).unwrap().set_len(cut as u64).unwrap();
        let whole = boundaries.iter().rfind(|boundary| **boundary <= cut).unwrap();
        let refusal = opened(&folder).unwrap_err();
        assert!(refusal.contains(&format!("0.jnl, byte {whole}: ")), "cut at byte {cut}: {refusal}");
    }
}

#[test]
fn a_folder_whose_creation_was_interrupted_is_created_again() {
    let folder = log_of(&[]);
    std::fs::remove_file(folder.path().join(ENGINE_VERSION)).unwrap();
    assert_eq!(opened(&folder), Ok(0));
    let folder = log_of(&[1]);
    std::fs::remove_file(folder.path().join(ENGINE_VERSION)).unwrap();
    assert_eq!(opened(&folder).unwrap_err(), r#"the log is damaged: the file "version" is missing"#);
}

#[test]
fn a_folder_that_is_open_is_not_touched() {
    let folder = log_of(&[1]);
    let _open = Storage::open(folder.path()).unwrap();
    assert!(matches!(Storage::open(folder.path()), Err(StorageError::InUse)));
}

/// Compacts a log, and stops the compaction when it checks for the time `stops_at`. Returns whether
/// it finished, and how often it checked.
fn compacted(storage: &Storage, stops_at: usize) -> (bool, usize) {
    let checks = Arc::new(AtomicUsize::new(0));
    let counted = checks.clone();
    let stop: Stop = Arc::new(move || counted.fetch_add(1, Ordering::SeqCst) >= stops_at);
    (storage.compact(&stop).unwrap(), checks.load(Ordering::SeqCst))
}

#[test]
fn compaction_stops_among_the_rows_of_a_table_and_begins_again_and_loses_nothing() {
    let folder = log_of(&[10_000, 10_000]);
    let storage = Storage::open(folder.path()).unwrap();
    assert!(compacted(&storage, usize::MAX).0);
    // Everything is on disk by now, so from here on it checks only between rows.
    let (is_whole, checks) = compacted(&storage, usize::MAX);
    assert!(is_whole && checks > 50, "{checks}");
    for stops_at in [0, checks / 4, checks / 2] {
        let (is_whole, looked) = compacted(&storage, stops_at);
        assert!(!is_whole && looked <= stops_at + 2, "it asked {looked} times, and was to stop after {stops_at}");
        assert_eq!(storage.view().last_position().unwrap(), 20_000);
    }
    assert!(compacted(&storage, usize::MAX).0);
    drop(storage);
    let report = check_log(folder.path()).unwrap();
    assert_eq!((report.events, report.problems), (20_000, vec![]));
}
