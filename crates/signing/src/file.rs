//! Files of secrets: read at the start, and again while the process runs.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The largest file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;
/// How long secrets are used without another look at the file.
const TRUSTED_FOR: Duration = Duration::from_secs(5);
/// The bits of a file's mode that open it to users who are neither its owner nor in its group.
const OTHERS: u32 = 0o007;

/// Secrets that are written as lines.
pub trait FromLines: Sized {
    /// Reads them. The error does not repeat a secret.
    fn from_lines(text: &str) -> Result<Self, LineFault>;
}

/// A mistake in a file of secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    /// From 1; `None`: it concerns the whole file.
    line: Option<usize>,
    fault: String,
}

impl LineFault {
    /// A mistake at this line.
    pub(crate) fn at(line: usize, fault: &str) -> Self {
        Self { line: Some(line), fault: fault.to_owned() }
    }

    /// A mistake of the whole file.
    pub(crate) fn of_file(fault: &str) -> Self {
        Self { line: None, fault: fault.to_owned() }
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.fault),
            None => write!(f, "the file {}", self.fault),
        }
    }
}

/// Why a file of secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is too large to be one.
    #[error("has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// Its content is wrong.
    #[error("{0}")]
    Content(LineFault),
}

/// The lines with content, with their numbers from 1. A line that begins with `#` is a comment.
pub(crate) fn lines_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// The secrets of a file, which is read again from time to time. Clones share what was read.
#[derive(Clone)]
pub struct SecretFile<T> {
    path: PathBuf,
    last: Arc<Mutex<Reading<T>>>,
}

/// The last reading of a file.
struct Reading<T> {
    at: Instant,
    /// The last secrets that could be used.
    value: Arc<T>,
    /// Why the file cannot be used, since the last reading.
    fault: Option<String>,
}

impl<T> fmt::Debug for SecretFile<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<T: FromLines> SecretFile<T> {
    /// Reads the file.
    pub fn open(path: &str) -> Result<Self, FileFault> {
        let path = PathBuf::from(path);
        let value = Arc::new(read(&path)?);
        let last = Reading { at: Instant::now(), value, fault: None };
        Ok(Self { path, last: Arc::new(Mutex::new(last)) })
    }

    /// The secrets as the file has them, or had them a few seconds ago. If it cannot be used now,
    /// those that were read before stay in use, and each new reason is logged once.
    pub fn current(&self) -> Arc<T> {
        self.current_at(Instant::now())
    }

    fn current_at(&self, now: Instant) -> Arc<T> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(last.at) < TRUSTED_FOR {
            return last.value.clone();
        }
        last.at = now;
        match read(&self.path) {
            Ok(value) => (last.value, last.fault) = (Arc::new(value), None),
            Err(fault) => {
                let fault = fault.to_string();
                if last.fault.as_ref() != Some(&fault) {
                    let file = self.path.display();
                    tracing::error!(%file, fault, "a file of secrets cannot be used: those that were read before stay in use");
                }
                last.fault = Some(fault);
            }
        }
        last.value.clone()
    }

    /// Logs a warning if other users of the machine can read the file.
    pub fn warn_if_open(&self) {
        if let Some(mode) = open_mode(&self.path) {
            let (file, mode) = (self.path.display(), format!("{mode:04o}"));
            tracing::warn!(%file, mode, "a file of secrets is open to every user of this machine: chmod 0600 closes it");
        }
    }
}

fn read<T: FromLines>(path: &Path) -> Result<T, FileFault> {
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(FileFault::TooLarge);
    }
    T::from_lines(&text).map_err(FileFault::Content)
}

/// The permissions of a file that others may use.
fn open_mode(path: &Path) -> Option<u32> {
    let mode = path.metadata().ok()?.permissions().mode() & 0o777;
    (mode & OTHERS != 0).then_some(mode)
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};

    use super::*;

    /// Lines that may be anything but `wrong`.
    #[derive(Debug, Clone)]
    struct Lines(Vec<String>);

    impl FromLines for Lines {
        fn from_lines(text: &str) -> Result<Self, LineFault> {
            match lines_of(text).find(|(_, line)| *line == "wrong") {
                Some((number, _)) => Err(LineFault::at(number, "is wrong")),
                None => Ok(Self(lines_of(text).map(|(_, line)| line.to_owned()).collect())),
            }
        }
    }

    #[test]
    fn a_file_is_read_again_and_one_that_became_unusable_leaves_what_was_read_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        write(&path, "# a comment\n a \n\n").unwrap();
        let file = SecretFile::<Lines>::open(path.to_str().unwrap()).unwrap();
        let began = Instant::now();
        let seen = |looks: u32| file.current_at(began + looks * TRUSTED_FOR).0.clone();
        assert_eq!(file.current().0, ["a"]);
        write(&path, "b\nwrong\n").unwrap();
        assert_eq!(seen(1), ["a"]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(seen(2), ["a"]);
        write(&path, "b\n").unwrap();
        assert_eq!(file.clone().current_at(began + 3 * TRUSTED_FOR).0, ["b"]);
        write(&path, "c\n").unwrap();
        assert_eq!(seen(3), ["b"], "it was read just now");
        assert_eq!(seen(4), ["c"]);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        let fault = || SecretFile::<Lines>::open(path.to_str().unwrap()).unwrap_err().to_string();
        assert!(fault().starts_with("cannot be read: "), "{}", fault());
        write(&path, "a\nwrong\n").unwrap();
        assert_eq!(fault(), "line 2: is wrong");
        write(&path, "a\n".repeat(600_000)).unwrap();
        assert_eq!(fault(), "has more than 1048576 bytes");
        write(&path, [0xff, 0xfe]).unwrap();
        assert!(fault().starts_with("cannot be read: "), "{}", fault());
    }

    #[test]
    fn a_file_that_other_users_can_read_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        write(&path, "a\n").unwrap();
        for (mode, is_open) in [(0o600, false), (0o640, false), (0o644, true), (0o602, true)] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(open_mode(&path).is_some(), is_open, "{mode:o}");
        }
    }
}
