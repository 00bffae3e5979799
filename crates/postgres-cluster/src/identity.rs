//! The user that runs the server: our user, unless that is root, which Postgres refuses.

use std::{
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

use crate::error::{Doing, Error};

/// Whether the server's processes do not get this variable. Settings of participants end in `_URL`.
fn is_withheld(name: &[u8]) -> bool {
    [b"PG".as_slice(), b"TENUTO_", b"CREDENTIALS_"].iter().any(|start| name.starts_with(start))
        || [b"_URL".as_slice(), b"_FILE"].iter().any(|end| name.ends_with(end))
}

/// The user that owns the server's processes and files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Our user.
    Ourselves,
    /// Another user; only root can do this.
    Other { uid: u32, gid: u32 },
}

impl Identity {
    /// The owner of existing data, otherwise the user `postgres`, otherwise `nobody`.
    pub(crate) fn choose(data: &Path) -> Result<Self, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        match std::fs::metadata(data) {
            Ok(data) if data.uid() != 0 => Ok(Self::Other { uid: data.uid(), gid: data.gid() }),
            _ => ["postgres", "nobody"].into_iter().find_map(Self::named).ok_or(Error::NoServerUser),
        }
    }

    /// `id` uses every user directory of the system, not only `/etc/passwd`.
    fn named(user: &str) -> Option<Self> {
        let id_number = |flag: &str| -> Option<u32> {
            let answer = Command::new("id").args([flag, user]).stderr(Stdio::null()).output().ok()?;
            String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
        };
        Some(Self::Other { uid: id_number("-u")?, gid: id_number("-g")? })
    }

    /// A command for this user, without environment settings for other servers, and without our own
    /// ones, which may hold passwords.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_withheld(name.as_encoded_bytes())) {
            command.env_remove(name);
        }
        if let Self::Other { uid, gid } = self {
            // As root, std also clears the supplementary groups.
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Makes this user the owner of a file or folder.
    pub(crate) fn own(self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Other { uid, gid } => std::os::unix::fs::lchown(path, Some(uid), Some(gid))
                .doing(|| format!("give {} to user {uid}", path.display())),
        }
    }

    /// Whether this user can enter a folder, tested by trying.
    pub(crate) fn reaches(self, folder: &Path) -> bool {
        self.command(Path::new("/bin/sh"))
            .args(["-c", r#"cd -- "$0""#])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// The user id.
    pub(crate) fn uid(self) -> u32 {
        match self {
            Self::Ourselves => rustix::process::geteuid().as_raw(),
            Self::Other { uid, .. } => uid,
        }
    }
}
