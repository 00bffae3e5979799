//! Receives one archive, and checks that it is the one that it has to be.

use std::{io::Write as _, path::Path, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Client;
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use super::Archive;

/// Without a network, this must fail quickly: the caller has better advice than waiting.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// The longest time without a byte.
const READ_LIMIT: Duration = Duration::from_secs(20);
/// The waits before a broken connection is tried again.
const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// Why there is no archive.
enum Failure {
    /// Another try may succeed.
    Broken(String),
    Final(String),
}

/// Writes the archive at `url` to `path`, or returns the reason of the failure. A broken connection
/// is tried again.
pub(super) async fn receive(url: &str, archive: &Archive, path: &Path) -> Result<(), String> {
    let client = client().map_err(|error| error.to_string())?;
    let mut waits = WAITS.into_iter();
    loop {
        match attempt(&client, url, archive, path).await {
            Ok(()) => return Ok(()),
            Err(Failure::Final(reason)) => return Err(reason),
            Err(Failure::Broken(reason)) => match waits.next() {
                Some(wait) => sleep(wait).await,
                None => return Err(reason),
            },
        }
    }
}

fn client() -> reqwest::Result<Client> {
    http_client::builder()?.connect_timeout(CONNECT_LIMIT).read_timeout(READ_LIMIT).build()
}

async fn attempt(client: &Client, url: &str, archive: &Archive, path: &Path) -> Result<(), Failure> {
    let mut answer = client.get(url).send().await.map_err(|error| not_received(&error))?;
    let (status, from) = (answer.status(), answer.url().clone());
    if !status.is_success() {
        let reason = format!("{url} answers {status}");
        return Err(if status.is_server_error() { Failure::Broken(reason) } else { Failure::Final(reason) });
    }
    let not_written = |error| Failure::Final(format!("{} cannot be written: {error}", path.display()));
    let mut file = std::fs::File::create(path).map_err(not_written)?;
    let (mut hash, mut received_bytes) = (Sha256::new(), 0);
    let bar = progress(archive);
    while let Some(piece) = answer.chunk().await.map_err(|error| not_received(&error.with_url(from.clone())))? {
        received_bytes += piece.len() as u64;
        if received_bytes > archive.size_bytes {
            return Err(Failure::Final(format!("{url} has more than its {} bytes: {NOT_USED}", archive.size_bytes)));
        }
        hash.update(&piece);
        file.write_all(&piece).map_err(not_written)?;
        bar.set_position(received_bytes);
    }
    bar.finish_and_clear();
    let sha256 = format!("{:x}", hash.finalize());
    if sha256 != archive.sha256 {
        let expected = &archive.sha256;
        return Err(Failure::Final(format!("{url} has the SHA-256 {sha256}, not {expected}: {NOT_USED}")));
    }
    Ok(())
}

const NOT_USED: &str = "it was changed since it was published, and is not used";

fn not_received(error: &reqwest::Error) -> Failure {
    let reason = http_client::no_answer(error);
    if error.is_connect() { Failure::Final(reason) } else { Failure::Broken(reason) }
}

/// Shown on a terminal only.
fn progress(archive: &Archive) -> ProgressBar {
    let bar = ProgressBar::new(archive.size_bytes);
    let style = ProgressStyle::with_template("PostgreSQL {msg} [{bar:40}] {bytes} of {total_bytes}, {eta} left");
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.with_message(archive.version.clone())
}
