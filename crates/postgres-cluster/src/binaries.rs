//! Finds the server's binaries: `PG_BIN`, `PATH`, the folders of distributions and Homebrew, or a
//! download.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::{Search, advice::install_command, error::Error, identity::Identity};

/// Older versions are out of support.
const OLDEST_MAJOR: u32 = 14;

/// Folders that hold one folder per installed version: parent, prefix of the version's folder, and
/// the rest of the path.
const USUAL_PLACES: [(&str, &str, &str); 7] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// A folder with `initdb` and `postgres` of one version, which the server's user can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    /// The first fitting binaries: the version that wrote the data, or any supported version for a
    /// new cluster.
    pub(crate) async fn find(search: &Search, identity: Identity, data_version: Option<u32>) -> Result<Self, Error> {
        let folders = candidates(search);
        let mut found = Vec::new();
        for binaries in folders.iter().filter_map(|folder| Self::inspect(folder, identity)) {
            if binaries.fits(data_version) {
                return Ok(binaries);
            }
            found.push(binaries);
        }
        if let Some(path) = search.pg_bin.clone().filter(|_| found.is_empty()) {
            return Err(Error::UnusablePgBin { path, install: install_command() });
        }
        let download = match &search.download {
            Some(download) if search.pg_bin.is_none() => match download.fetch(data_version).await {
                Ok(folder) => match Self::inspect(&folder, identity) {
                    Some(fetched) => return Ok(fetched),
                    None => format!("those downloaded into {} do not run here", folder.display()),
                },
                Err(reason) => format!("the download failed: {reason}"),
            },
            _ => "downloads are not allowed".to_owned(),
        };
        Err(none_fits(&folders, &found, data_version, download))
    }

    pub(crate) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    fn fits(&self, data_version: Option<u32>) -> bool {
        data_version.map_or(self.major >= OLDEST_MAJOR, |wanted| self.major == wanted)
    }

    /// Runs them as the server's user, so binaries that this user cannot reach do not count.
    fn inspect(folder: &Path, identity: Identity) -> Option<Self> {
        let folder = real_folder(folder)?;
        let version = |program: &str| {
            let mut command = identity.command(&folder.join(program));
            let answer = command.arg("--version").current_dir("/").stdin(Stdio::null()).output().ok()?;
            major(&String::from_utf8(answer.stdout).ok()?)
        };
        let major = version("postgres")?;
        (version("initdb")? == major).then_some(Self { folder, major })
    }
}

/// `PATH` often links only some of the programs. The others are in the folder of the link's target.
fn real_folder(folder: &Path) -> Option<PathBuf> {
    let real = folder.join("postgres").canonicalize().ok()?.parent()?.to_path_buf();
    [real, folder.canonicalize().ok()?].into_iter().find(|folder| folder.join("initdb").is_file())
}

fn candidates(search: &Search) -> Vec<PathBuf> {
    if let Some(folder) = &search.pg_bin {
        return vec![folder.clone()];
    }
    let mut folders: Vec<PathBuf> = search.path.iter().flat_map(std::env::split_paths).collect();
    folders.retain(|folder| folder.is_absolute());
    if search.usual_places {
        folders
            .extend(USUAL_PLACES.iter().flat_map(|(parent, prefix, rest)| versions(Path::new(parent), prefix, rest)));
    }
    if let Some(download) = &search.download {
        folders.extend(versions(&download.cache, "", "bin"));
    }
    folders
}

/// The versions in a folder, the newest first.
fn versions(parent: &Path, prefix: &str, rest: &str) -> Vec<PathBuf> {
    let mut found: Vec<(Vec<u32>, PathBuf)> = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.trim_start_matches(['@', '-']);
            let version = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
            Some((version, entry.path().join(rest)))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, folder)| folder).collect()
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is 15.
fn major(version_line: &str) -> Option<u32> {
    let number = version_line.split("(PostgreSQL) ").nth(1)?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn none_fits(folders: &[PathBuf], found: &[Binaries], data_version: Option<u32>, download: String) -> Error {
    if found.is_empty() {
        let looked: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        return Error::NoBinaries { looked: looked.join(", "), download, install: install_command() };
    }
    let needed = match data_version {
        Some(major) => format!("the data was written by PostgreSQL {major}, and PostgreSQL {major}"),
        None => format!("PostgreSQL {OLDEST_MAJOR} or later"),
    };
    let found: Vec<String> = found.iter().map(|it| format!("{} in {}", it.major, it.folder.display())).collect();
    Error::WrongVersion { needed, found: found.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_every_builders_version_line() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("initdb (PostgreSQL) 17.2\n"), Some(17));
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("something else 9"), None);
    }

    #[test]
    fn versions_are_ordered_by_number_and_the_newest_comes_first() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["postgresql@9", "postgresql@16", "postgresql@17", "libpq", "postgresql"] {
            std::fs::create_dir(parent.path().join(name)).unwrap();
        }
        let found = versions(parent.path(), "postgresql", "bin");
        let names: Vec<_> =
            found.iter().map(|path| path.strip_prefix(parent.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["postgresql@17/bin", "postgresql@16/bin", "postgresql@9/bin", "postgresql/bin"]);
    }
}
