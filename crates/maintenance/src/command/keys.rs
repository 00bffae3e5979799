//! `tenuto keys`: exports the keys of personal data to an encrypted file, and imports them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use command_handler::Imported;
use command_line::{output, running};
use servers::NotNamed;
use sqlx::PgPool;

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
    Import {
        /// The file that an export wrote
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// A file whose first line is the passphrase [default: the environment variable
    /// `TENUTO_KEYS_PASSPHRASE`]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The Postgres that holds the keys [default: that of what runs in the folder .tenuto]
    #[arg(long, env = "TENUTO_POSTGRES", value_name = "postgres://…", hide_env_values = true)]
    postgres: Option<String>,
}

/// Exports or imports keys, and prints how many.
pub async fn run(args: KeysArgs) -> Result<ExitCode, MaintenanceError> {
    match args.command {
        KeysCommand::Export { to, common } => {
            let passphrase = common.passphrase()?;
            keys::must_not_exist(&to)?;
            let count = keys::export(&to, &common.database().await?, &passphrase).await?;
            output::announce(&format!("{}: {count} keys exported\n", to.display()));
        }
        KeysCommand::Import { from, common } => {
            let passphrase = common.passphrase()?;
            let file = KeyFile::verify(&from, &passphrase)?;
            if file.is_empty() {
                output::announce(&format!("{}: nothing was imported: the file has no key\n", from.display()));
                return Ok(ExitCode::from(NOTHING));
            }
            let Imported { added, known, destroyed } = file.import(&common.database().await?).await?;
            output::announce(&format!(
                "{}: {added} keys added; {known} were there already; {destroyed} were destroyed since the export, and stay so\n",
                from.display()
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Common {
    fn passphrase(&self) -> Result<Passphrase, MaintenanceError> {
        Ok(Passphrase::read(self.passphrase_file.as_deref())?)
    }

    async fn database(&self) -> Result<PgPool, MaintenanceError> {
        let url = running::postgres(self.postgres.as_deref())?.ok_or(NotNamed::POSTGRES)?;
        Ok(servers::views(&url).await?)
    }
}
