//! The folder that servers keep their data in, and that commands look for servers in.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use clap::Args;

/// The data folder, unless another one is named.
pub const USUAL_DATA: &str = ".tenuto";

/// Where things are kept.
#[derive(Debug, Clone, Args)]
pub struct DataFolder {
    /// The folder for all data of the embedded log and database
    #[arg(long, env = "TENUTO_DATA", default_value = USUAL_DATA, value_name = "FOLDER")]
    pub data: PathBuf,
}

impl DataFolder {
    /// The folder of the embedded log.
    pub fn event_store(&self) -> PathBuf {
        self.data.join("event-store")
    }

    /// The folder of the embedded database.
    pub fn postgres(&self) -> PathBuf {
        self.data.join("postgres")
    }

    /// Creates the folder, closed to other users. If this process runs as root, the database runs
    /// as another user, which has to enter the folder.
    pub fn create(&self) -> Result<(), NotCreated> {
        let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
        create(&self.data, mode).map_err(|source| NotCreated { folder: self.data.display().to_string(), source })
    }
}

/// Creates a folder, and those above it that are missing, with this mode, whatever the umask is.
fn create(folder: &Path, mode: u32) -> io::Result<()> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    DirBuilder::new().recursive(true).mode(mode).create(folder)?;
    missing.into_iter().try_for_each(|path| std::fs::set_permissions(path, Permissions::from_mode(mode)))
}

/// The data folder cannot be created.
#[derive(Debug, thiserror::Error)]
#[error("the data folder {folder} cannot be made: {source}; give one that can be written, with --data or TENUTO_DATA")]
pub struct NotCreated {
    folder: String,
    source: io::Error,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn all_folders_that_are_created_have_the_mode_and_others_keep_theirs() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o750)).unwrap();
        let data = folder.path().join("a/b");
        for _ in 0..2 {
            create(&data, 0o711).unwrap();
        }
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let modes = [folder.path(), &folder.path().join("a"), &data].map(mode);
        assert_eq!(modes, [0o750, 0o711, 0o711]);
    }
}
