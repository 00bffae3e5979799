//! The place of a cluster, locked so that one process at a time runs it.
//!
//! ```text
//! <folder>/lock         held while the cluster runs
//! <folder>/data/        the cluster; appears by a rename, so it is either complete or missing
//! <folder>/socket/      the server's socket, if the path is short enough for a socket address
//! <folder>/MOVED        instead of these: the path of the folder that holds them
//! <other folder>/FOR    in that folder, too: the path of the folder
//! ```

use std::{
    ffi::OsStr,
    fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::ErrorKind,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{
    error::{Doing, Error},
    identity::Identity,
};

/// The parent of clusters whose folder the server's user cannot reach.
pub(crate) const REACHABLE: &str = "/var/lib/tenuto";
/// The prefix of each cluster's folder there.
pub(crate) const PLACE_PREFIX: &str = "postgres-";

/// A file that names a folder.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Note {
    /// In a cluster's folder: the place of the cluster instead.
    Moved,
    /// In that place: the cluster's folder, so that a cluster without its folder is found.
    For,
}

impl Note {
    fn file(self, folder: &Path) -> PathBuf {
        folder.join(match self {
            Self::Moved => "MOVED",
            Self::For => "FOR",
        })
    }

    /// The folder that the note names, if the note exists.
    pub(crate) fn read(self, folder: &Path) -> Result<Option<PathBuf>, Error> {
        let file = self.file(folder);
        match std::fs::read(&file) {
            Ok(named) => Ok(Some(PathBuf::from(OsStr::from_bytes(named.trim_ascii())))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error).doing(|| format!("read {}", file.display())),
        }
    }

    fn write(self, folder: &Path, named: &Path) -> Result<(), Error> {
        let file = self.file(folder);
        std::fs::write(&file, named.as_os_str().as_bytes()).doing(|| format!("write {}", file.display()))
    }
}

/// A socket's address holds 104 bytes on some systems, with a NUL and the socket's own name.
const SOCKET_FOLDER_BYTES_MAX: usize = 104 - 1 - "/.s.PGSQL.5432.lock".len();

/// A cluster's folder, locked.
#[derive(Debug)]
pub(crate) struct Home {
    folder: PathBuf,
    identity: Identity,
    /// The kernel releases it when the process ends, in any way.
    _lock: File,
}

impl Home {
    /// Prepares the folder for the server's user, and locks it for this process.
    pub(crate) fn open(wanted: &Path) -> Result<Self, Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(wanted);
        made.doing(|| format!("create {}", wanted.display()))?;
        let wanted = wanted.canonicalize().doing(|| format!("find {}", wanted.display()))?;
        let (folder, identity) = settle(wanted)?;
        private_folder(&folder, identity)?;
        let lock = lock(&folder)?;
        Ok(Self { folder, identity, _lock: lock })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// The major version that wrote the data, if data exist.
    pub(crate) fn data_version(&self) -> Option<u32> {
        std::fs::read_to_string(self.data().join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// An empty folder for the server's socket. Files of an earlier server would mislead the next
    /// one.
    pub(crate) fn socket_folder(&self) -> Result<PathBuf, Error> {
        let mut folder = self.folder.join("socket");
        if folder.as_os_str().len() > SOCKET_FOLDER_BYTES_MAX {
            folder = short_socket_folder(&self.folder);
        }
        private_folder(&folder, self.identity)?;
        for entry in std::fs::read_dir(&folder).doing(|| format!("list {}", folder.display()))?.flatten() {
            std::fs::remove_file(entry.path()).doing(|| format!("remove {}", entry.path().display()))?;
        }
        Ok(folder)
    }
}

/// The folder itself, or a place that the server's user can reach.
fn settle(wanted: PathBuf) -> Result<(PathBuf, Identity), Error> {
    if let Some(place) = Note::Moved.read(&wanted)? {
        if place.is_dir() {
            let identity = Identity::choose(&place.join("data"))?;
            // Earlier versions did not write this note.
            if Note::For.read(&place)?.is_none_or(|named| named != wanted) {
                Note::For.write(&place, &wanted)?;
            }
            return Ok((place, identity));
        }
        tracing::warn!(folder = %wanted.display(), place = %place.display(),
            "the cluster of this folder is gone from where its note says it is: a new one takes its place");
    }
    let identity = Identity::choose(&wanted.join("data"))?;
    let around = wanted.parent().unwrap_or(&wanted);
    if identity == Identity::Ourselves || identity.reaches(around) {
        return Ok((wanted, identity));
    }
    let place = reachable_place()?;
    Note::For.write(&place, &wanted)?;
    Note::Moved.write(&wanted, &place)?;
    tracing::info!(folder = %wanted.display(), place = %place.display(),
        "the server's user cannot reach the folder: the cluster lives elsewhere");
    Ok((place, identity))
}

/// A new folder each time. Only the note ties it to a cluster, so without folder and note the next
/// start creates a new cluster.
fn reachable_place() -> Result<PathBuf, Error> {
    let doing = || format!("create a folder in {REACHABLE}");
    std::fs::create_dir_all(REACHABLE).doing(doing)?;
    std::fs::set_permissions(REACHABLE, Permissions::from_mode(0o755)).doing(doing)?;
    let place = tempfile::Builder::new().prefix(PLACE_PREFIX).rand_bytes(8).tempdir_in(REACHABLE).doing(doing)?;
    Ok(place.keep())
}

/// Creates a folder that only the given user can enter. An existing folder must be ours: under
/// `/tmp`, another user may have created it to intercept connections.
pub(crate) fn private_folder(path: &Path, identity: Identity) -> Result<(), Error> {
    let doing = || format!("make {} a private folder", path.display());
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let found = path.symlink_metadata().doing(doing)?;
            let ours = [identity.uid(), rustix::process::geteuid().as_raw()].contains(&found.uid());
            if !found.is_dir() || !ours {
                return Err(Error::NotOurs { path: path.to_path_buf() });
            }
        }
        Err(error) => return Err(error).doing(doing),
    }
    identity.own(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o700)).doing(doing)
}

/// The lock of a cluster, if it exists.
pub(crate) fn lock_existing(folder: &Path) -> Result<Option<File>, Error> {
    if folder.join("lock").exists() { lock(folder).map(Some) } else { Ok(None) }
}

fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let doing = || format!("lock {}", path.display());
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).doing(doing)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { folder: folder.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(error).doing(doing),
    }
}

/// The folder of the socket if the cluster's path is too long for a socket.
pub(crate) fn short_socket_folder(folder: &Path) -> PathBuf {
    PathBuf::from(format!("/tmp/tenuto-{}", short_hash(folder)))
}

/// Stable for each folder, so that folders in `/tmp` do not pile up.
fn short_hash(path: &Path) -> String {
    Sha256::digest(path.as_os_str().as_bytes()).iter().take(8).fold(String::new(), |hash, byte| {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
        hash + &String::from_iter([digit(byte >> 4), digit(byte & 15)])
    })
}
