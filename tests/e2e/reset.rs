//! `tenuto reset`: what belongs to a data folder goes, wherever it is, and not while it is in use.

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

/// Where the database is instead, if its user cannot enter the folder.
fn elsewhere(data: &Path) -> Option<PathBuf> {
    std::fs::read_to_string(data.join("postgres/MOVED")).ok().map(PathBuf::from)
}

#[test]
fn a_reset_removes_all_that_belongs_to_a_data_folder_once_nothing_uses_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (code, told) = reset(&data, &["--yes"]);
    assert_eq!((code, told.contains("nothing was removed")), (Some(0), true), "{told}");

    let arguments = ["dev", "--listen", "127.0.0.1:0", "--no-samples", "--data", data.to_str().unwrap()];
    let mut process = Process::start(&arguments, &[]);
    process.told("commands   POST ");
    // Others may not look into it; the user of root's database gets through to its own part.
    let mode = data.metadata().unwrap().permissions().mode() & 0o777;
    assert!([0o700, 0o711].contains(&mode), "{mode:o}");
    let elsewhere = elsewhere(&data);
    let (code, told) = reset(&data, &["--yes"]);
    assert_eq!((code, told.contains("in use by another process")), (Some(2), true), "{told}");
    assert!(data.join("event-store").is_dir());
    // What it could not tidy up goes as well.
    process.kill();

    let (code, told) = reset(&data, &[]);
    assert_eq!((code, told.contains("give --yes")), (Some(2), true), "{told}");
    assert!(elsewhere.iter().all(|place| place.is_dir() && told.contains(place.to_str().unwrap())), "{told}");
    let (code, told) = reset(&data, &["--yes"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(!data.exists(), "{told}");
    assert!(elsewhere.iter().all(|place| !place.exists()), "{told}");
}
