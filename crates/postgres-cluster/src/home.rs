//! Where a cluster lives, and that only one process at a time runs it.
//!
//! ```text
//! <folder>/lock         held while the cluster runs
//! <folder>/data/        the cluster; appears by a rename, so it is either whole or not there
//! <folder>/socket/      where the server listens, when the path is short enough for a socket address
//! <folder>/MOVED        instead of these: the path of the folder that holds them
//! <other folder>/FOR    beside them there: the path of the folder
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

/// Where clusters go whose own folder the server's user cannot reach.
pub(crate) const REACHABLE: &str = "/var/lib/tenuto";
/// How the name of each one's folder there begins.
pub(crate) const PLACE_PREFIX: &str = "postgres-";

/// A file that names a folder.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Note {
    /// In a cluster's folder: where the cluster lives instead.
    Moved,
    /// Where it lives instead: the cluster's folder. A cluster whose folder is gone is found by it.
    For,
}

impl Note {
    fn file(self, folder: &Path) -> PathBuf {
        folder.join(match self {
            Self::Moved => "MOVED",
            Self::For => "FOR",
        })
    }

    /// The folder that is named, if there is such a note.
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

/// What a socket's address can hold is 104 bytes on some systems, a NUL and the socket's own name among them.
const SOCKET_FOLDER_BYTES_MAX: usize = 104 - 1 - "/.s.PGSQL.5432.lock".len();

/// A cluster's folder, locked.
#[derive(Debug)]
pub(crate) struct Home {
    folder: PathBuf,
    identity: Identity,
    /// Released by the kernel when we end, however we end.
    _lock: File,
}

impl Home {
    /// Makes the folder ready for the server's user and takes it for this process.
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

    /// The major version that wrote the data, when there is data.
    pub(crate) fn data_version(&self) -> Option<u32> {
        std::fs::read_to_string(self.data().join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// An empty folder for the server's socket. What an earlier server left in it would only mislead the next.
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

/// The folder itself, or the place that stands in for it when the server's user cannot get there.
fn settle(wanted: PathBuf) -> Result<(PathBuf, Identity), Error> {
    if let Some(place) = Note::Moved.read(&wanted)? {
        if place.is_dir() {
            let identity = Identity::choose(&place.join("data"))?;
            // Earlier versions left no such note.
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

/// A new folder each time: the note alone ties it to a cluster, so removing the folder with the note begins anew.
fn reachable_place() -> Result<PathBuf, Error> {
    let doing = || format!("create a folder in {REACHABLE}");
    std::fs::create_dir_all(REACHABLE).doing(doing)?;
    std::fs::set_permissions(REACHABLE, Permissions::from_mode(0o755)).doing(doing)?;
    let place = tempfile::Builder::new().prefix(PLACE_PREFIX).rand_bytes(8).tempdir_in(REACHABLE).doing(doing)?;
    Ok(place.keep())
}

/// Creates a folder that only the given user can enter. One that is there must have been ours already: under `/tmp`
/// somebody else may have made it, to listen in.
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

/// The lock of a cluster that may be there.
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

/// Where the server listens when its folder's path is too long for a socket.
pub(crate) fn short_socket_folder(folder: &Path) -> PathBuf {
    PathBuf::from(format!("/tmp/tenuto-{}", short_hash(folder)))
}

/// The same for the same folder, so that what stands in `/tmp` for it does not pile up.
fn short_hash(path: &Path) -> String {
    Sha256::digest(path.as_os_str().as_bytes()).iter().take(8).fold(String::new(), |hash, byte| {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
        hash + &String::from_iter([digit(byte >> 4), digit(byte & 15)])
    })
}
