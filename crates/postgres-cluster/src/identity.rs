//! Which user the server runs as: ourselves, unless we are root, which the server refuses to be.

use std::{
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

use crate::error::{Doing, Error};

/// The user whom the server's processes and files belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The user we are.
    Ourselves,
    /// Another one; only root can do this.
    Other { uid: u32, gid: u32 },
}

impl Identity {
    /// The owner of the data that is there already, else the user made for this, else the one who owns nothing.
    pub(crate) fn choose(data: &Path) -> Result<Self, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        match std::fs::metadata(data) {
            Ok(data) if data.uid() != 0 => Ok(Self::Other { uid: data.uid(), gid: data.gid() }),
            _ => ["postgres", "nobody"].into_iter().find_map(Self::named).ok_or(Error::NoServerUser),
        }
    }

    /// `id` asks whatever directory of users the system has, which reading `/etc/passwd` would not.
    fn named(user: &str) -> Option<Self> {
        let ask = |flag: &str| -> Option<u32> {
            let answer = Command::new("id").args([flag, user]).stderr(Stdio::null()).output().ok()?;
            String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
        };
        Some(Self::Other { uid: ask("-u")?, gid: ask("-g")? })
    }

    /// A command that will run as this user, and that no setting for some other server can lead astray.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(name);
        }
        if let Self::Other { uid, gid } = self {
            // As root, std also clears the supplementary groups.
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Gives a file or folder to this user.
    pub(crate) fn own(self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Other { uid, gid } => std::os::unix::fs::lchown(path, Some(uid), Some(gid))
                .doing(|| format!("give {} to user {uid}", path.display())),
        }
    }

    /// Whether this user can get into a folder; the kernel itself is asked, by trying.
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

    /// The user's number.
    pub(crate) fn uid(self) -> u32 {
        match self {
            Self::Ourselves => rustix::process::geteuid().as_raw(),
            Self::Other { uid, .. } => uid,
        }
    }
}
