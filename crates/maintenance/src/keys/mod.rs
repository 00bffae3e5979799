//! `tenuto keys`: a copy of the keys of personal data, apart from the database, and back.

mod file;

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use command_handler::{Imported, import_keys, keys_after};
use sqlx::PgPool;

use self::file::{FileError, KeyReader, KeyWriter, MIN_PASSPHRASE_BYTES};
use command_line::output;
use command_line::running;
use servers::NotNamed;

/// The environment variable that may hold the passphrase.
const PASSPHRASE: &str = "TENUTO_KEYS_PASSPHRASE";
/// The exit code for "nothing was done".
const NOTHING: u8 = 2;
/// A file with a passphrase is not larger.
const MAX_PASSPHRASE_BYTES: u64 = 4_096;

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
    /// Without its key, a customer's personal data cannot be read any more: back the keys up with the log. A copy also holds the
    /// keys of customers who are forgotten later, so keep copies no longer than you may.
    Export {
        /// The file, which must not exist
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Add the keys of an encrypted file that the database does not have
    ///
    /// A key that was destroyed since the export stays destroyed, and no key is overwritten. The same import again changes nothing.
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
    /// A file whose first line is the passphrase [default: the environment variable `TENUTO_KEYS_PASSPHRASE`]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The Postgres that holds the keys [default: that of what runs in the folder .tenuto]
    #[arg(long, env = "TENUTO_POSTGRES", value_name = "postgres://…", hide_env_values = true)]
    postgres: Option<String>,
}

/// Why keys were not copied.
#[derive(Debug, thiserror::Error)]
enum KeysError {
    #[error("no passphrase is given: name a file with --passphrase-file, or set {PASSPHRASE}")]
    NoPassphrase,
    #[error("the passphrase must have at least {MIN_PASSPHRASE_BYTES} bytes, and has {0}")]
    Short(usize),
    #[error("the passphrase cannot be read from {}: {source}", file.display())]
    Passphrase { file: PathBuf, source: std::io::Error },
    #[error("{} exists already: an export does not overwrite a file", .0.display())]
    Exists(PathBuf),
    #[error("{}: {source}", file.display())]
    File { file: PathBuf, source: FileError },
    #[error("nothing was exported: the database has no key")]
    NoKeys,
}

/// Carries it out.
pub async fn run(args: KeysArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match args.command {
        KeysCommand::Export { to, common } => export(&to, &common).await,
        KeysCommand::Import { from, common } => import(&from, &common).await,
    }
}

impl Common {
    fn passphrase(&self) -> Result<Vec<u8>, KeysError> {
        let text = match &self.passphrase_file {
            Some(file) => first_line(file).map_err(|source| KeysError::Passphrase { file: file.clone(), source })?,
            None => std::env::var(PASSPHRASE).map_err(|_| KeysError::NoPassphrase)?,
        };
        if text.len() < MIN_PASSPHRASE_BYTES {
            return Err(KeysError::Short(text.len()));
        }
        Ok(text.into_bytes())
    }

    async fn database(&self) -> Result<PgPool, Box<dyn std::error::Error>> {
        let url = running::postgres(self.postgres.as_deref())?.ok_or(NotNamed::POSTGRES)?;
        servers::views(&url).await
    }
}

fn first_line(file: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    File::open(file)?.take(MAX_PASSPHRASE_BYTES).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Writes beside the file first, so that a file of that name is always whole.
async fn export(to: &Path, common: &Common) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let passphrase = common.passphrase()?;
    if to.exists() {
        return Err(KeysError::Exists(to.to_owned()).into());
    }
    let pool = common.database().await?;
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = to.with_file_name(name);
    let written = write(&part, &pool, &passphrase).await;
    let moved = written.and_then(|count| {
        // A hard link fails where a file of that name has come meanwhile.
        fs::hard_link(&part, to).map_err(|source| KeysError::File { file: to.to_owned(), source: source.into() })?;
        Ok(count)
    });
    // What failed leaves nothing.
    let _ = fs::remove_file(&part);
    output::announce(&format!("{}: {} keys exported\n", to.display(), moved?));
    Ok(ExitCode::SUCCESS)
}

async fn write(part: &Path, pool: &PgPool, passphrase: &[u8]) -> Result<u64, Box<dyn std::error::Error>> {
    let failed = |source: FileError| KeysError::File { file: part.to_owned(), source };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(part);
    let file = BufWriter::new(file.map_err(|error| failed(error.into()))?);
    let mut writer = KeyWriter::new(file, passphrase).map_err(failed)?;
    let (mut after, mut count) = (None, 0);
    loop {
        let page = keys_after(pool, after).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        count += page.len() as u64;
        writer.page(&page).map_err(failed)?;
    }
    if count == 0 {
        return Err(KeysError::NoKeys.into());
    }
    let mut file = writer.end().map_err(failed)?;
    file.flush().and_then(|()| file.get_ref().sync_all()).map_err(|error| failed(error.into()))?;
    Ok(count)
}

/// Reads the file to its end before the first key is added: a file that was cut off adds none.
async fn import(from: &Path, common: &Common) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let passphrase = common.passphrase()?;
    let failed = |source: FileError| KeysError::File { file: from.to_owned(), source };
    let open = || -> Result<_, FileError> { KeyReader::new(BufReader::new(File::open(from)?), &passphrase) };
    let (mut checked, mut keys) = (open().map_err(failed)?, 0);
    while let Some(page) = checked.page().map_err(failed)? {
        keys += page.len();
    }
    if keys == 0 {
        output::announce(&format!("{}: nothing was imported: the file has no key\n", from.display()));
        return Ok(ExitCode::from(NOTHING));
    }
    let pool = common.database().await?;
    let (mut reader, mut all) = (open().map_err(failed)?, Imported::default());
    while let Some(page) = reader.page().map_err(failed)? {
        let Imported { added, known, destroyed } = import_keys(&pool, &page).await?;
        all = Imported { added: all.added + added, known: all.known + known, destroyed: all.destroyed + destroyed };
    }
    if all.added > 0 {
        // Replies to orders whose keys were missing were set aside. Reading the others again changes nothing.
        views::read_replies_again(&pool).await?;
    }
    let Imported { added, known, destroyed } = all;
    output::announce(&format!(
        "{}: {added} keys added; {known} were there already; {destroyed} were destroyed since the export, and stay so\n",
        from.display()
    ));
    Ok(ExitCode::SUCCESS)
}
