//! A value that is made from files, and made again when their content changes.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use live::Live;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::file::{FileFault, PemFile};

/// How often the files are compared with what was read of them.
pub const EVERY: Duration = Duration::from_secs(5);

/// The current value.
pub struct Reloaded<T> {
    current: Live<T>,
}

impl<T> fmt::Debug for Reloaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloaded").finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Reloaded<T> {
    /// Makes the value from the files, and compares the files every so often, in a task that ends
    /// with the value. The content decides, not the time of a change: a link that leads to another
    /// folder is a change too. Outside of a runtime, the value stays as it is.
    pub fn new(
        files: Vec<PathBuf>,
        every: Duration,
        make: impl Fn(&[PemFile]) -> Result<T, FileFault> + Send + Sync + 'static,
    ) -> Result<Arc<Self>, FileFault> {
        let read = read(&files)?;
        let reloaded = Arc::new(Self { current: Live::new(make(&read)?) });
        let watched = Watched { files, seen: Ok(read), make };
        let has_files = !watched.files.is_empty();
        if let Some(runtime) = Handle::try_current().ok().filter(|_| has_files) {
            runtime.spawn(keep_current(Arc::downgrade(&reloaded), watched, every));
        }
        Ok(reloaded)
    }

    /// The value of the last files that could be used.
    pub fn current(&self) -> Arc<T> {
        self.current.get()
    }
}

fn read(files: &[PathBuf]) -> Result<Vec<PemFile>, FileFault> {
    files.iter().map(|file| PemFile::read(file)).collect()
}

/// Files, and what was last seen of them.
struct Watched<M> {
    files: Vec<PathBuf>,
    seen: Result<Vec<PemFile>, String>,
    make: M,
}

impl<T, M: Fn(&[PemFile]) -> Result<T, FileFault>> Watched<M> {
    /// The value of the files, if they differ from what was seen before.
    fn changed(&mut self) -> Option<Result<T, FileFault>> {
        let read = read(&self.files);
        let seen = read.as_ref().cloned().map_err(ToString::to_string);
        if seen == self.seen {
            return None;
        }
        self.seen = seen;
        Some(read.and_then(|read| (self.make)(&read)))
    }

    fn names(&self) -> String {
        self.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
    }
}

async fn keep_current<T, M>(reloaded: Weak<Reloaded<T>>, mut watched: Watched<M>, every: Duration)
where
    T: Send + Sync + 'static,
    M: Fn(&[PemFile]) -> Result<T, FileFault> + Send + 'static,
{
    loop {
        tokio::time::sleep(every).await;
        if reloaded.strong_count() == 0 {
            return;
        }
        // Reading may take long where the files are on a network.
        let looked = spawn_blocking(move || {
            let changed = watched.changed();
            (watched, changed)
        });
        let changed;
        (watched, changed) = match looked.await {
            Ok(looked) => looked,
            Err(error) => return tracing::error!(%error, "certificates are not read again any more; restart"),
        };
        let Some(reloaded) = reloaded.upgrade() else { return };
        match changed {
            None => {}
            Some(Ok(value)) => {
                reloaded.current.set(value);
                tracing::info!("new certificates are in use: {}", watched.names());
            }
            Some(Err(fault)) => {
                tracing::error!("changed certificates cannot be used, and the earlier ones stay in use: {fault}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(10);

    async fn until(condition: impl Fn() -> bool) {
        let waiting = async {
            while !condition() {
                tokio::time::sleep(SOON).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), waiting).await.expect("nothing has changed in time");
    }

    /// Refuses a file with the word `wrong`.
    fn text(files: &[PemFile]) -> Result<String, FileFault> {
        let path = files[0].path();
        let text = std::fs::read_to_string(path).unwrap();
        if text == "wrong" { Err(FileFault::NoCertificate(path.to_owned())) } else { Ok(text) }
    }

    #[tokio::test]
    async fn a_changed_file_gives_another_value_and_a_faulty_one_keeps_the_earlier() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "first").unwrap();
        let value = Reloaded::new(vec![file.clone()], SOON, text).unwrap();
        assert_eq!(*value.current(), "first");
        std::fs::write(&file, "second").unwrap();
        until(|| *value.current() == "second").await;
        for faulty in [Some("wrong"), None] {
            match faulty {
                Some(faulty) => std::fs::write(&file, faulty).unwrap(),
                None => std::fs::remove_file(&file).unwrap(),
            }
            tokio::time::sleep(10 * SOON).await;
            assert_eq!(*value.current(), "second", "{faulty:?}");
        }
        std::fs::write(&file, "third").unwrap();
        until(|| *value.current() == "third").await;
    }

    #[tokio::test]
    async fn a_file_that_is_faulty_at_first_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "wrong").unwrap();
        assert!(Reloaded::new(vec![file], SOON, text).is_err());
    }
}
