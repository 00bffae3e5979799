//! The data folder: it can be made and written, and its disk has room.

use std::io;
use std::path::{Path, PathBuf};

use event_store_node::{NodeOptions, free_space};
use tokio::task::spawn_blocking;

use crate::finding::Finding;
use crate::role::Role;

const ABOUT: &str = "data folder";
/// With less room than this many times what the node keeps free, the disk is nearly full.
const NEARLY: u64 = 4;
const MIB: u64 = 1 << 20;

pub async fn check(role: &Role) -> Vec<Finding> {
    let Some(data) = &role.data else { return Vec::new() };
    let (data, log) = (data.data.clone(), data.event_store());
    // A network's disk may not answer.
    let checked = spawn_blocking(move || of_folder(&data, &log)).await;
    checked.unwrap_or_else(|error| vec![Finding::fault(ABOUT, error)])
}

fn of_folder(data: &Path, log: &Path) -> Vec<Finding> {
    let there = nearest(data);
    let shown = data.display();
    if let Err(error) = writable(&there) {
        let there = there.display();
        let told = format!(
            "{shown} cannot be made or written ({there}: {error}); give one that this user can write, with --data or \
             TENUTO_DATA"
        );
        return vec![Finding::fault(ABOUT, told)];
    }
    let kept = NodeOptions::in_folder(log).kept_free;
    match free_space(&there) {
        Err(error) => vec![Finding::fault(ABOUT, format!("the free space of {shown} is not known: {error}"))],
        Ok(free) if free < kept => {
            let told = format!(
                "the disk of {shown} has {} MiB left, and the log takes no events below {} MiB; make room, or move the \
                 folder",
                free / MIB,
                kept / MIB
            );
            vec![Finding::fault(ABOUT, told)]
        }
        Ok(free) if free < NEARLY * kept => {
            let told = format!("the disk of {shown} has only {} MiB left; make room, or move the folder", free / MIB);
            vec![Finding::warning(ABOUT, told)]
        }
        Ok(free) => vec![Finding::ok(ABOUT, format!("{shown} can be written; {} MiB are free", free / MIB))],
    }
}

/// The folder, or the nearest one above it that exists.
fn nearest(folder: &Path) -> PathBuf {
    let exists = |path: &&Path| path.as_os_str().is_empty() || path.exists();
    match folder.ancestors().find(exists) {
        Some(path) if !path.as_os_str().is_empty() => path.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Creates a file without a name, which vanishes at once.
fn writable(folder: &Path) -> io::Result<()> {
    tempfile::tempfile_in(folder).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    #[test]
    fn a_folder_that_is_missing_can_be_made_where_the_nearest_one_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        for (data, is_fault) in [(folder.path().join("a/b"), false), (file.join("data"), true)] {
            let found = of_folder(&data, &data.join("event-store"));
            assert_eq!(found[0].level == Level::Fault, is_fault, "{found:?}");
            assert!(found[0].detail.contains(data.to_str().unwrap()), "{found:?}");
        }
        assert!(!folder.path().join("a").exists(), "nothing is made");
    }
}
