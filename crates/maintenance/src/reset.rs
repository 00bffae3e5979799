//! `tenuto reset`: removes what belongs to a data folder, wherever it is.

use std::fs;
use std::io::{ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use event_store_node::{StorageError, remove_log};
use postgres_cluster::Belongings;

use command_line::data_folder::DataFolder;
use command_line::output;
use command_line::running;

/// Options of `tenuto reset`.
#[derive(Debug, Args)]
pub struct ResetArgs {
    #[command(flatten)]
    data: DataFolder,
    /// Remove the databases of data folders that are gone, and nothing of this one
    #[arg(long)]
    orphans: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, thiserror::Error)]
enum ResetError {
    #[error("nothing was removed: nobody can be asked here; give --yes to remove what is listed")]
    NotConfirmed,
    #[error("the log in {folder} was not removed")]
    Log { folder: String, source: StorageError },
    #[error("cannot remove {path}")]
    File { path: String, source: std::io::Error },
}

/// What is there to be removed.
struct Found {
    log: Option<PathBuf>,
    databases: Vec<Belongings>,
}

/// Removes it, once the operator has agreed.
pub async fn run(args: ResetArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let data = &args.data.data;
    let found = if args.orphans {
        Found { log: None, databases: Belongings::orphans()? }
    } else {
        let log = Some(args.data.event_store()).filter(|folder| folder.is_dir());
        Found { log, databases: Belongings::of(&data.join("postgres"))?.into_iter().collect() }
    };
    if found.log.is_none() && found.databases.is_empty() {
        let nothing = if args.orphans {
            "no database belongs to a data folder that is gone".to_owned()
        } else {
            format!("nothing is kept in {}", data.display())
        };
        output::announce(&format!("{nothing}: nothing was removed\n"));
        return Ok(ExitCode::SUCCESS);
    }
    output::announce(&found.listed());
    if args.orphans {
        output::announce(
            "Their data folders are not there. Go on only if they were deleted, and are not on a disk that is away.\n",
        );
    }
    if !args.yes && !confirmed()? {
        output::announce("nothing was removed\n");
        return Ok(ExitCode::FAILURE);
    }
    found.remove().await?;
    if !args.orphans {
        let failed = |source| ResetError::File { path: data.display().to_string(), source };
        running::forget_ended(data).map_err(failed)?;
        remove_if_empty(data).map_err(failed)?;
    }
    output::announce("removed\n");
    Ok(ExitCode::SUCCESS)
}

impl Found {
    fn listed(&self) -> String {
        let mut lines = vec!["This is removed for good:".to_owned()];
        lines.extend(self.log.iter().map(|folder| format!("  the log, with every order: {}", folder.display())));
        for Belongings { folder, elsewhere } in &self.databases {
            let what = "  the database, with the keys of personal data";
            match elsewhere {
                None => lines.push(format!("{what}: {}", folder.display())),
                Some(place) => lines.push(format!("{what}: {} (of {})", place.display(), folder.display())),
            }
        }
        lines.join("\n") + "\n"
    }

    /// Nothing is removed unless all can be.
    async fn remove(self) -> Result<(), Box<dyn std::error::Error>> {
        let databases = self.databases.into_iter().map(Belongings::claim).collect::<Result<Vec<_>, _>>()?;
        if let Some(log) = self.log {
            let folder = log.display().to_string();
            remove_log(&log).map_err(|source| ResetError::Log { folder, source })?;
        }
        for database in databases {
            database.remove().await?;
        }
        Ok(())
    }
}

fn confirmed() -> Result<bool, Box<dyn std::error::Error>> {
    if !std::io::stdin().is_terminal() {
        return Err(ResetError::NotConfirmed.into());
    }
    Ok(output::confirm("Type yes to remove it: ")?)
}

/// Other files in the folder stay, and so does the folder then.
fn remove_if_empty(data: &Path) -> std::io::Result<()> {
    match fs::remove_dir(data) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => Ok(()),
        removed => removed,
    }
}
