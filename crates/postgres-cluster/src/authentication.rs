//! Who may connect to the server: the user that runs this process, and root. The kernel tells the
//! server the user of each connection to its socket (`peer`), so no password is needed. The folder
//! of the socket is private too, but the server's own user, which may be `nobody`, can enter it.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    error::{Doing, Error},
    identity::Identity,
    settings::USER,
};

/// The map of users of the system to the cluster's role.
const MAP: &str = "tenuto";

/// Writes the server's rules, also over those of earlier versions, which trusted everyone.
pub(crate) fn write_rules(data: &Path, identity: Identity) -> Result<(), Error> {
    let own = name(rustix::process::geteuid().as_raw()).ok_or(Error::NoUserName)?;
    let root = name(0).filter(|root| *root != own);
    let users = std::iter::once(own).chain(root);
    let map = users.map(|user| format!("{MAP} {} {USER}\n", quoted(&user))).collect::<Vec<_>>().concat();
    replace(&data.join("pg_ident.conf"), &map, identity)?;
    replace(&data.join("pg_hba.conf"), &format!("local all {USER} peer map={MAP}\n"), identity)
}

/// The name that the server finds for a user. `id` uses every user directory of the system.
fn name(uid: u32) -> Option<String> {
    let answer = Command::new("id").args(["-nu", &uid.to_string()]).stderr(Stdio::null()).output().ok()?;
    let name = String::from_utf8(answer.stdout).ok()?.trim().to_owned();
    (answer.status.success() && !name.is_empty()).then_some(name)
}

/// A text of the rules. A slash at its beginning would make it a pattern, which no user's name is.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Writes a file of the server's user, all or nothing.
fn replace(file: &Path, content: &str, identity: Identity) -> Result<(), Error> {
    let doing = || format!("write {}", file.display());
    let new = file.with_extension("conf.new");
    if let Err(error) = std::fs::remove_file(&new)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error).doing(doing);
    }
    let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).doing(doing)?;
    written.write_all(b"# Tenuto writes this file at each start.\n").doing(doing)?;
    written.write_all(content.as_bytes()).and_then(|()| written.sync_all()).doing(doing)?;
    identity.own(&new)?;
    std::fs::rename(&new, file).doing(doing)
}
