//! The progress of a batch, so that an interrupted batch can be resumed: in memory, and with
//! `--resume` in a file.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::CommandError;

/// The number of orders between two writes of the file: after a crash, at most this many are
/// reported twice.
const EVERY: u64 = 64;

/// The progress of a batch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The action and the server: a checkpoint belongs to one batch.
    pub asked: Value,
    /// The filter, with the time before which the orders were placed.
    pub filter: Option<Value>,
    /// The last order whose result was received.
    pub after: Option<String>,
    /// Orders before it that the server refused because it was overloaded.
    pub later: Vec<String>,
}

/// The progress, and its file.
#[derive(Debug)]
pub struct Checkpoint {
    pub place: Place,
    file: Option<PathBuf>,
    unwritten: u64,
}

impl Checkpoint {
    /// Reads the file if it exists; otherwise starts at the beginning.
    pub fn open(file: Option<&Path>, asked: Value) -> Result<Self, CommandError> {
        let beginning = Place { asked, ..Place::default() };
        let read = file.map(|file| (file.display().to_string(), std::fs::read(file)));
        let place = match read {
            None => beginning,
            Some((_, Err(error))) if error.kind() == io::ErrorKind::NotFound => beginning,
            Some((name, read)) => Self::parsed(&name, read, &beginning.asked)?,
        };
        Ok(Self { place, file: file.map(Path::to_owned), unwritten: 0 })
    }

    fn parsed(name: &str, read: io::Result<Vec<u8>>, asked: &Value) -> Result<Place, CommandError> {
        let failed = |source| CommandError::Read { input: name.to_owned(), source };
        let place: Place = serde_json::from_slice(&read.map_err(failed)?).map_err(|error| failed(error.into()))?;
        if place.asked == *asked {
            return Ok(place);
        }
        Err(CommandError::Checkpoint { file: name.to_owned(), of: place.asked.to_string() })
    }

    /// Records the result of an order.
    pub fn told(&mut self) -> Result<(), CommandError> {
        self.unwritten += 1;
        if self.unwritten >= EVERY { self.write() } else { Ok(()) }
    }

    /// Replaces the file as a whole: after an interrupted write, the earlier file is still there.
    pub fn write(&mut self) -> Result<(), CommandError> {
        self.unwritten = 0;
        let Some(file) = &self.file else { return Ok(()) };
        let mut name = file.clone().into_os_string();
        name.push(".new");
        let written = serde_json::to_vec(&self.place).map_err(io::Error::from).and_then(|text| {
            std::fs::write(&name, text)?;
            std::fs::rename(&name, file)
        });
        written.map_err(|source| unwritten(file, source))
    }

    /// The batch has ended: nothing is left to resume.
    pub fn remove(&self) -> Result<(), CommandError> {
        let Some(file) = &self.file else { return Ok(()) };
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritten(file, error)),
            _ => Ok(()),
        }
    }
}

fn unwritten(file: &Path, source: io::Error) -> CommandError {
    CommandError::Unwritten { file: file.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_batch_goes_on_where_its_file_says() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("batch.json");
        let open = |asked| Checkpoint::open(Some(&file), asked);
        let mut checkpoint = open(json!({ "operation": "cancel" })).unwrap();
        assert_eq!(checkpoint.place.after, None);
        checkpoint.place.after = Some("7".to_owned());
        for _ in 1..EVERY {
            checkpoint.told().unwrap();
        }
        assert!(!file.exists());
        checkpoint.told().unwrap();
        assert_eq!(open(json!({ "operation": "cancel" })).unwrap().place, checkpoint.place);
        assert!(matches!(open(json!({ "operation": "pause" })), Err(CommandError::Checkpoint { .. })));
        checkpoint.remove().unwrap();
        checkpoint.remove().unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn a_file_that_is_none_is_not_written_over() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "my notes").unwrap();
        assert!(matches!(Checkpoint::open(Some(file.path()), json!({})), Err(CommandError::Read { .. })));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named_with_the_option() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("missing/batch.json");
        let error = Checkpoint::open(Some(&file), json!({})).unwrap().write().unwrap_err().to_string();
        assert!(error.contains("missing/batch.json (--resume)") && error.contains("os error"), "{error}");
    }
}
