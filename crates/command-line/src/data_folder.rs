//! The folder that servers keep their data in, and that commands look for servers in.

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
    /// Where the embedded log is among all data.
    pub fn event_store(&self) -> PathBuf {
        self.data.join("event-store")
    }
}
