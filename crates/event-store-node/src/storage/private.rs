//! Access to the log's files: only the user that runs the node may read them, because they hold
//! orders and their customers.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::Path;

#[cfg(unix)]
const FOLDER: u32 = 0o700;
#[cfg(unix)]
const FILE: u32 = 0o600;

/// Creates the folder if it is missing. Other users cannot reach files that the engine creates in
/// it later.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, FOLDER);
    builder.create(folder)
}

/// Removes the read rights that earlier versions and the engine gave to other users. A folder of
/// another owner is left unchanged.
pub(super) fn close_to_others(folder: &Path) -> io::Result<()> {
    set_mode(folder, true)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = match entry.file_type()? {
            kind if kind.is_dir() => close_to_others(&entry.path()),
            kind if kind.is_file() => set_mode(&entry.path(), false),
            _ => Ok(()),
        };
        // The engine may remove a file meanwhile.
        found.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    }
    Ok(())
}

#[cfg(unix)]
fn set_mode(path: &Path, is_folder: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let mode = if is_folder { FOLDER } else { FILE };
    let mut permissions = fs::metadata(path)?.permissions();
    if permissions.mode() & 0o777 == mode {
        return Ok(());
    }
    permissions.set_mode(mode);
    let set = fs::set_permissions(path, permissions);
    set.or_else(|error| if error.kind() == io::ErrorKind::PermissionDenied { Ok(()) } else { Err(error) })
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;
    use crate::storage::{Storage, StorageError};

    fn everything_in(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let deeper = entries.flat_map(|path| if path.is_dir() { everything_in(&path) } else { vec![path] });
        [folder.to_owned()].into_iter().chain(deeper).collect()
    }

    #[test]
    fn the_log_is_closed_to_other_users_even_if_it_was_open_to_them() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data").join("event-store");
        drop(Storage::open(&folder).unwrap());
        for path in everything_in(&folder) {
            let mode = if path.is_dir() { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        drop(Storage::open(&folder).unwrap());
        let found = everything_in(&folder);
        assert!(found.len() > 10, "{found:?}");
        for path in found {
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, expected, "{}", path.display());
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_reported_with_the_cause_and_what_to_do() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        // No user can make a folder in /proc.
        for folder in [file.join("event-store"), PathBuf::from("/proc/1/x/event-store")] {
            let message = Storage::open(&folder).map(drop).unwrap_err().to_string();
            assert!(message.starts_with("the folder cannot be made: "), "{message}");
            assert!(message.contains("os error") && message.ends_with("can be made and written"), "{message}");
        }
    }

    #[test]
    fn an_error_of_the_system_names_what_to_do() {
        for (kind, remedy) in [
            (io::ErrorKind::PermissionDenied, "needs the right to read and write"),
            (io::ErrorKind::ReadOnlyFilesystem, "needs a folder that can be written"),
            (io::ErrorKind::StorageFull, "make room"),
        ] {
            let message = StorageError::from(fjall::Error::Io(kind.into())).to_string();
            assert!(message.contains(remedy) && !message.contains("Os {") && !message.contains("Fjall"), "{message}");
        }
        let too_many = StorageError::from(fjall::Error::Io(io::Error::from_raw_os_error(24))).to_string();
        assert!(too_many.contains("ulimit -n"), "{too_many}");
    }
}
