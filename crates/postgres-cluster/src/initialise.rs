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

/// The prefix of an unfinished cluster; the id of its process follows.
const UNFINISHED: &str = "initialising-";

/// Runs `initdb` once. It works in another folder, which is renamed when complete.
pub(crate) async fn initialise(home: &Home, binaries: &Binaries, durable: bool) -> Result<(), Error> {
    remove_unfinished(home.folder())?;
    if home.data_version().is_some() {
        return Ok(());
    }
    let unfinished = home.folder().join(format!("{UNFINISHED}{}", std::process::id()));
    // Both sort text by code point. The first one also supports upper and lower case beyond ASCII,
    // where it exists.
    let mut output = initdb(home, binaries, &unfinished, "C.UTF-8", durable).await?;
    if !output.status.success() {
        remove_unfinished(home.folder())?;
        output = initdb(home, binaries, &unfinished, "C", durable).await?;
    }
    if !output.status.success() {
        let output_text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Initialise { status: output.status, output: output_text });
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
        // A page that the disk has changed is noticed when it is read.
        .arg("--data-checksums")
        // Each start writes the rules for connections.
        .args(["--auth-local=reject", "--auth-host=reject"])
        .current_dir(home.folder())
        .stdin(Stdio::null());
    if !durable {
        command.arg("--no-sync");
    }
    Command::from(command).kill_on_drop(true).output().await.doing(|| "run initdb".to_owned())
}

/// A running `initdb` of a killed process finds its folder missing, and ends.
fn remove_unfinished(folder: &Path) -> Result<(), Error> {
    let doing = || format!("remove an unfinished cluster from {}", folder.display());
    for entry in std::fs::read_dir(folder).doing(doing)?.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            std::fs::remove_dir_all(entry.path()).doing(doing)?;
        }
    }
    Ok(())
}
