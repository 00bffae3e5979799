//! Creates the cluster's files, all or nothing.

use std::{
    fs::File,
    path::Path,
    process::{Output, Stdio},
};

use tokio::process::Command;

use crate::{
    binaries::Binaries,
    error::{Doing, Error},
    home::Home,
    settings::USER,
};

/// A cluster under way has this name, and the number of the process that makes it.
const UNFINISHED: &str = "initialising-";

/// Runs `initdb` unless that was done before. It works in a folder of another name, which is renamed once whole.
pub(crate) async fn initialise(home: &Home, binaries: &Binaries, durable: bool) -> Result<(), Error> {
    remove_unfinished(home.folder())?;
    if home.data_version().is_some() {
        return Ok(());
    }
    let unfinished = home.folder().join(format!("{UNFINISHED}{}", std::process::id()));
    // Text sorts by code point in either; the first also knows upper and lower case beyond ASCII, where it exists.
    let mut output = initdb(home, binaries, &unfinished, "C.UTF-8", durable).await?;
    if !output.status.success() {
        remove_unfinished(home.folder())?;
        output = initdb(home, binaries, &unfinished, "C", durable).await?;
    }
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Initialise { status: output.status, output: said });
    }
    let data = home.data();
    std::fs::rename(&unfinished, &data).doing(|| format!("move the new cluster to {}", data.display()))?;
    File::open(home.folder()).and_then(|folder| folder.sync_all()).doing(|| format!("sync {}", home.folder().display()))
}

async fn initdb(home: &Home, binaries: &Binaries, folder: &Path, locale: &str, durable: bool) -> Result<Output, Error> {
    let mut command = home.identity().command(&binaries.initdb());
    command
        .arg("--pgdata")
        .arg(folder)
        .args(["--username", USER, "--encoding=UTF8", "--locale", locale, "--lc-messages=C"])
        // Whoever can enter the socket's folder is let in, and nobody comes another way.
        .args(["--auth-local=trust", "--auth-host=reject"])
        .current_dir(home.folder())
        .stdin(Stdio::null());
    if !durable {
        command.arg("--no-sync");
    }
    Command::from(command).kill_on_drop(true).output().await.doing(|| "run initdb".to_owned())
}

/// An `initdb` that still runs for a process that was killed finds its folder gone, and ends.
fn remove_unfinished(folder: &Path) -> Result<(), Error> {
    let doing = || format!("remove an unfinished cluster from {}", folder.display());
    for entry in std::fs::read_dir(folder).doing(doing)?.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            std::fs::remove_dir_all(entry.path()).doing(doing)?;
        }
    }
    Ok(())
}
