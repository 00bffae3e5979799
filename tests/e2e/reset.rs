//! `tenuto reset` removes everything that belongs to a data folder, wherever it is, unless the
//! folder is in use.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::process::{Process, binary};

/// Exit code and output of a reset that cannot ask for confirmation.
fn reset(data: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut command = binary();
    let output = command.args(["reset", "--data"]).arg(data).args(more).stdin(Stdio::null()).output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// The folder of the database, if its user cannot enter the data folder.
fn elsewhere(data: &Path) -> Option<PathBuf> {
    std::fs::read_to_string(data.join("postgres/MOVED")).ok().map(PathBuf::from)
}

#[test]
fn a_reset_removes_everything_of_a_data_folder_that_no_process_uses() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (code, reported) = reset(&data, &["--yes"]);
    assert_eq!((code, reported.contains("nothing was removed")), (Some(0), true), "{reported}");

    let arguments = ["dev", "--listen", "127.0.0.1:0", "--no-samples", "--data", data.to_str().unwrap()];
    let mut process = Process::start(&arguments, &[]);
    process.line_after("commands   POST ");
    // Other users may not read the folder. The user of the database needs access to its own part.
    let mode = data.metadata().unwrap().permissions().mode() & 0o777;
    assert!([0o700, 0o711].contains(&mode), "{mode:o}");
    let elsewhere = elsewhere(&data);
    let (code, reported) = reset(&data, &["--yes"]);
    assert_eq!((code, reported.contains("in use by another process")), (Some(2), true), "{reported}");
    assert!(data.join("event-store").is_dir());
    // What the killed process could not remove is removed as well.
    process.kill();

    let (code, reported) = reset(&data, &[]);
    assert_eq!((code, reported.contains("give --yes")), (Some(2), true), "{reported}");
    assert!(elsewhere.iter().all(|place| place.is_dir() && reported.contains(place.to_str().unwrap())), "{reported}");
    let (code, reported) = reset(&data, &["--yes"]);
    assert_eq!(code, Some(0), "{reported}");
    assert!(!data.exists(), "{reported}");
    assert!(elsewhere.iter().all(|place| !place.exists()), "{reported}");
}
