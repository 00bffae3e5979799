//! `tenuto reset`: removes the data that belongs to a data folder.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Args;
use command_line::data_folder::DataFolder;
use command_line::output;
use postgres_cluster::Belongings;

use crate::MaintenanceError;
use crate::reset::{Removable, ResetError, remove_folder};

/// Options of `tenuto reset`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 if it is removed, or nothing was there; 1 if it was not confirmed.")]
pub struct ResetArgs {
    #[command(flatten)]
    data: DataFolder,
    /// Remove the databases of data folders that do not exist any more, and nothing of this folder
    #[arg(long)]
    orphans: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Lists the data, asks, and removes it.
pub async fn run(args: ResetArgs) -> Result<ExitCode, MaintenanceError> {
    let data = &args.data.data;
    let removable = if args.orphans { Removable::orphans()? } else { Removable::of(&args.data)? };
    if removable.is_empty() {
        let nothing = if args.orphans {
            "no database belongs to a data folder that is gone".to_owned()
        } else {
            format!("nothing is kept in {}", data.display())
        };
        output::announce(&format!("{nothing}: nothing was removed\n"));
        return Ok(ExitCode::SUCCESS);
    }
    output::announce(&listed(&removable));
    if args.orphans {
        output::announce(
            "Their data folders do not exist. Continue only if they were deleted, and are not on a disk that is away.\n",
        );
    }
    if !args.yes && !confirmed()? {
        output::announce("nothing was removed\n");
        return Ok(ExitCode::FAILURE);
    }
    removable.remove().await?;
    if !args.orphans {
        remove_folder(data)?;
    }
    output::announce("removed\n");
    Ok(ExitCode::SUCCESS)
}

fn listed(Removable { log, databases }: &Removable) -> String {
    let mut lines = vec!["This is removed for good:".to_owned()];
    lines.extend(log.iter().map(|folder| format!("  the log, with every order: {}", folder.display())));
    for Belongings { folder, elsewhere } in databases {
        let what = "  the database, with the keys of personal data";
        match elsewhere {
            None => lines.push(format!("{what}: {}", folder.display())),
            Some(place) => lines.push(format!("{what}: {} (of {})", place.display(), folder.display())),
        }
    }
    lines.join("\n") + "\n"
}

fn confirmed() -> Result<bool, MaintenanceError> {
    if !std::io::stdin().is_terminal() {
        return Err(ResetError::NotConfirmed.into());
    }
    output::confirm("Type yes to remove it: ").map_err(MaintenanceError::Terminal)
}
