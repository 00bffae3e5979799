//! The files of a cluster, wherever they are, and how to remove them.

use std::{
    fs::File,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use crate::{
    error::{Doing, Error},
    home::{Note, PLACE_PREFIX, REACHABLE, lock_existing, short_socket_folder},
    leftover::stop_leftover,
};

/// The files of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belongings {
    /// The folder of the cluster.
    pub folder: PathBuf,
    /// Where it lives instead, if its server's user cannot reach that folder.
    pub elsewhere: Option<PathBuf>,
}

impl Belongings {
    /// The files of the cluster in this folder. `None`: the folder does not exist.
    pub fn of(folder: &Path) -> Result<Option<Self>, Error> {
        let folder = match folder.canonicalize() {
            Ok(folder) => folder,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).doing(|| format!("find {}", folder.display())),
        };
        let elsewhere = Note::Moved.read(&folder)?.filter(|place| is_ours(place, &folder));
        Ok(Some(Self { folder, elsewhere }))
    }

    /// The clusters whose folder is gone, or belongs to another cluster now. They are where the
    /// server's user can reach them.
    ///
    /// Versions that did not record the folder are not listed: whether their clusters are in use is
    /// unknown.
    pub fn orphans() -> Result<Vec<Self>, Error> {
        let places = match std::fs::read_dir(REACHABLE) {
            Ok(places) => places,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).doing(|| format!("list {REACHABLE}")),
        };
        let mut orphans = Vec::new();
        for place in places {
            let place = place.doing(|| format!("list {REACHABLE}"))?.path();
            let Some(folder) = Note::For.read(&place)? else { continue };
            if Note::Moved.read(&folder)?.is_none_or(|moved| moved != place) {
                orphans.push(Self { folder, elsewhere: Some(place) });
            }
        }
        orphans.sort_by(|one, other| one.elsewhere.cmp(&other.elsewhere));
        Ok(orphans)
    }

    /// Locks it against every other process, so that it can be removed. Fails while a process uses
    /// it.
    pub fn claim(self) -> Result<Claimed, Error> {
        let lock = lock_existing(self.home())?;
        Ok(Claimed { belongings: self, _lock: lock })
    }

    /// The folder with the cluster.
    fn home(&self) -> &Path {
        self.elsewhere.as_ref().unwrap_or(&self.folder)
    }
}

/// The files of a cluster that no process uses. While this is held, none can.
#[derive(Debug)]
pub struct Claimed {
    belongings: Belongings,
    _lock: Option<File>,
}

impl Claimed {
    /// Removes all of them.
    pub async fn remove(self) -> Result<(), Error> {
        let Belongings { folder, elsewhere } = &self.belongings;
        let home = self.belongings.home();
        stop_leftover(&home.join("data")).await?;
        remove_folder(&short_socket_folder(home))?;
        if let Some(place) = elsewhere {
            let moved = Note::Moved.read(folder)?;
            remove_folder(place)?;
            if moved.is_none_or(|moved| moved != *place) {
                // The folder belongs to another cluster now.
                return Ok(());
            }
        }
        remove_folder(folder)
    }
}

/// Outside of the folder, only our own places are removed. A note in the folder may name another
/// place.
fn is_ours(place: &Path, folder: &Path) -> bool {
    let is_named_so = place.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PLACE_PREFIX));
    let names_another = || matches!(Note::For.read(place), Ok(Some(other)) if other != *folder);
    place.parent() == Some(Path::new(REACHABLE)) && is_named_so && place.is_dir() && !names_another()
}

fn remove_folder(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).doing(|| format!("remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
