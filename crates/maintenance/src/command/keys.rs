//! `tenuto keys`: exports the keys of personal data to an encrypted file, imports them, and wraps
//! them by another master key; rotates the secret of callbacks.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use command_handler::{Imported, rotate_callback_secrets};
use command_line::{duration, output};
use views::customer_keys::Rewrapped;

use super::database::Database;
use crate::MaintenanceError;
use crate::keys::{self, KeyFile, Passphrase};

/// The exit code for "nothing was imported".
const NOTHING: u8 = 2;

/// Options of `tenuto keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Write all keys of personal data to an encrypted file
    ///
    /// Without its key, a customer's personal data cannot be read any more: back up the keys with
    /// the log. A copy also holds the keys of customers who are forgotten later, so keep copies
    /// only as long as the law allows.
    Export {
        /// The file, which must not exist
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Add the keys of an encrypted file that the database does not have
    ///
    /// A key that was destroyed since the export stays destroyed, and no key is overwritten. The
    /// same import again changes nothing.
    #[command(
        after_help = "Exit code: 0 if every key of the file is in the database, or was destroyed; 2 if nothing was imported."
    )]
    Import {
        /// The file that an export wrote
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Make a new secret for the tokens of callbacks
    ///
    /// Every command handler uses it within half a minute. By default, tokens of earlier secrets
    /// stay valid until they expire. A token lets a participant answer one request later.
    RotateCallbacks {
        /// How long tokens of earlier secrets stay valid, like 30d. 0s: a secret became known, and
        /// participants cannot answer open requests by their callbacks any more
        #[arg(long, value_name = "TIME", value_parser = duration::parse)]
        accept_earlier_for: Option<Duration>,
        #[command(flatten)]
        database: Database,
    },
    /// Wrap all keys by the current master key (`TENUTO_MASTER_KEY`), also those that are stored as
    /// they are or wrapped by an earlier one
    ///
    /// Add a new master key before the others first, separated by a comma, and restart the roles.
    /// After this command the others can be left out.
    Rewrap {
        #[command(flatten)]
        database: Database,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// A file whose first line is the passphrase [default: `TENUTO_KEYS_PASSPHRASE`, or the file
    /// that `TENUTO_KEYS_PASSPHRASE_FILE` names]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    database: Database,
}

/// Exports, imports or rewraps keys, and prints how many; or rotates the secret of callbacks.
pub async fn run(args: KeysArgs) -> Result<ExitCode, MaintenanceError> {
    match args.command {
        KeysCommand::Export { to, common } => {
            let passphrase = common.passphrase()?;
            keys::must_not_exist(&to)?;
            let count = keys::export(&to, &common.database.connect().await?, &passphrase).await?;
            output::announce(&format!("{}: {count} keys exported\n", to.display()));
        }
        KeysCommand::Import { from, common } => {
            let passphrase = common.passphrase()?;
            let file = KeyFile::verify(&from, &passphrase)?;
            if file.is_empty() {
                output::announce(&format!("{}: nothing was imported: the file has no key\n", from.display()));
                return Ok(ExitCode::from(NOTHING));
            }
            let Imported { added, known, destroyed } = file.import(&common.database.connect().await?).await?;
            output::announce(&format!(
                "{}: {added} keys added; {known} were there already; {destroyed} were destroyed since the export, and stay so\n",
                from.display()
            ));
        }
        KeysCommand::RotateCallbacks { accept_earlier_for, database } => {
            let accepted = rotate_callback_secrets(&database.connect().await?, accept_earlier_for).await?;
            output::announce(&format!(
                "callbacks have a new secret; tokens of earlier ones are accepted for {}\n",
                duration::render(accepted)
            ));
        }
        KeysCommand::Rewrap { database } => {
            let Rewrapped { rewrapped, current } = keys::rewrap(&database.connect().await?).await?;
            output::announce(&format!(
                "{rewrapped} keys rewrapped; {current} were wrapped by the master key already\n"
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Common {
    fn passphrase(&self) -> Result<Passphrase, MaintenanceError> {
        Ok(Passphrase::read(self.passphrase_file.as_deref())?)
    }
}
