//! The folder that servers keep their data in, and that commands look for servers in.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

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
        let created = DirBuilder::new().recursive(true).mode(mode).create(&self.data);
        created.map_err(|source| NotCreated { folder: self.data.display().to_string(), source })
    }
}

/// The data folder cannot be created.
#[derive(Debug, thiserror::Error)]
#[error("the data folder {folder} cannot be made: {source}; give one that can be written, with --data or TENUTO_DATA")]
pub struct NotCreated {
    folder: String,
    source: std::io::Error,
}
