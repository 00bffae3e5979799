//! What an attacker can do who has the log's files and knows their format: rows are rewritten
//! through the storage engine, so that every checksum is right.

use std::path::{Path, PathBuf};

use domain::wire;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use prost::Message;
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

/// An event as it is stored (`crates/event-store-node/src/storage/stored.rs`).
#[derive(Clone, PartialEq, Message)]
pub struct StoredEvent {
    #[prost(string, tag = "1")]
    pub stream: String,
    #[prost(uint64, tag = "2")]
    pub revision: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub id: Vec<u8>,
    #[prost(uint64, tag = "4")]
    pub created: u64,
    #[prost(string, tag = "5")]
    pub event_type: String,
    #[prost(string, tag = "6")]
    pub content_type: String,
    #[prost(bytes = "vec", tag = "7")]
    pub metadata: Vec<u8>,
    #[prost(bytes = "vec", tag = "8")]
    pub data: Vec<u8>,
}

/// The value under a stream's name.
#[derive(Clone, PartialEq, Message)]
struct StoredStream {
    #[prost(uint64, tag = "1")]
    number: u64,
    #[prost(uint64, optional, tag = "2")]
    last_revision: Option<u64>,
    #[prost(bool, tag = "3")]
    tombstoned: bool,
}

/// A copy of a data folder, for tampering with its log.
pub struct Copy {
    folder: TempDir,
}

/// The rows of a log that no node is using.
pub struct Rows {
    database: Database,
    events: Keyspace,
    streams: Keyspace,
    revisions: Keyspace,
    ids: Keyspace,
    format: Keyspace,
}

impl Copy {
    pub fn of(data: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&data.join("event-store"), &folder.path().join("event-store"));
        Self { folder }
    }

    /// The data folder.
    pub fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("event-store")
    }

    /// Rewrites rows.
    pub fn rewrite(&self, act: impl FnOnce(&Rows)) {
        let rows = Rows::open(&self.log());
        act(&rows);
        rows.database.persist(PersistMode::SyncAll).unwrap();
    }

    /// Makes the engine move everything into tables, so that its journals are no longer needed.
    pub fn move_into_tables(&self) {
        self.rewrite(|rows| {
            for keyspace in [&rows.format, &rows.events, &rows.streams, &rows.revisions, &rows.ids] {
                keyspace.rotate_memtable_and_wait().unwrap();
            }
        });
    }

    /// Flips a bit of the first file of the log that has these bytes. The checksums stay as they
    /// are.
    pub fn flip_within(&self, bytes: &[u8]) {
        let file = files(&self.log()).into_iter().find(|file| place_of(bytes, file).is_some()).unwrap();
        let at = place_of(bytes, &file).unwrap() + bytes.len() / 2;
        let mut content = std::fs::read(&file).unwrap();
        content[at] ^= 1;
        std::fs::write(&file, content).unwrap();
    }

    /// Flips a bit in the middle of the events in the largest table.
    pub fn flip_in_the_largest_table(&self) {
        let tables = files(&self.log()).into_iter().filter(|file| file.parent().unwrap().ends_with("tables"));
        let largest = tables.max_by_key(|file| std::fs::metadata(file).unwrap().len()).unwrap();
        let mut content = std::fs::read(&largest).unwrap();
        let middle = content.len() * 2 / 5;
        content[middle] ^= 1;
        std::fs::write(&largest, content).unwrap();
    }
}

fn place_of(bytes: &[u8], file: &Path) -> Option<usize> {
    std::fs::read(file).unwrap().windows(bytes.len()).position(|window| window == bytes)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

impl Rows {
    fn open(log: &Path) -> Self {
        let database = Database::builder(log).open().unwrap();
        let keyspace = |name: &str| database.keyspace(name, KeyspaceCreateOptions::default).unwrap();
        let [format, events, streams, revisions, ids] =
            ["format", "events", "streams", "revisions", "ids"].map(keyspace);
        Self { database, events, streams, revisions, ids, format }
    }

    /// The events of a stream with their positions.
    pub fn of(&self, stream: &str) -> Vec<(u64, StoredEvent)> {
        let mut found = self.all();
        found.retain(|(_, event)| event.stream == stream);
        found
    }

    fn all(&self) -> Vec<(u64, StoredEvent)> {
        let rows = self.events.iter().map(|row| row.into_inner().unwrap());
        rows.map(|(key, value)| (number(&key), StoredEvent::decode(&*value).unwrap())).collect()
    }

    /// Writes another event at a position.
    pub fn put(&self, position: u64, event: &StoredEvent) {
        self.events.insert(position.to_be_bytes(), event.encode_to_vec()).unwrap();
    }

    /// Removes an event, and all rows that name it.
    pub fn remove(&self, position: u64) {
        let event = StoredEvent::decode(&*self.events.get(position.to_be_bytes()).unwrap().unwrap()).unwrap();
        let stream = self.stream(&event.stream).number;
        self.events.remove(position.to_be_bytes()).unwrap();
        self.revisions.remove(revision_key(stream, event.revision)).unwrap();
        self.ids.remove(id_key(stream, &event.id)).unwrap();
    }

    /// Removes an event and renumbers the later events of its stream, in all rows.
    pub fn remove_and_renumber(&self, position: u64) {
        let removed = StoredEvent::decode(&*self.events.get(position.to_be_bytes()).unwrap().unwrap()).unwrap();
        let stream = self.stream(&removed.stream);
        let behind: Vec<_> = self.of(&removed.stream).into_iter().filter(|(at, _)| *at > position).collect();
        self.remove(position);
        for (at, mut event) in behind {
            self.revisions.remove(revision_key(stream.number, event.revision)).unwrap();
            event.revision -= 1;
            self.put(at, &event);
            self.revisions.insert(revision_key(stream.number, event.revision), at.to_be_bytes()).unwrap();
            self.ids.insert(id_key(stream.number, &event.id), event.revision.to_be_bytes()).unwrap();
        }
        let last = stream.last_revision.unwrap() - 1;
        self.end(&removed.stream, &stream, last);
    }

    /// Cuts the log off after a position, with all traces in the log itself.
    pub fn cut(&self, copy: &Copy, position: u64) {
        let (kept, cut): (Vec<_>, Vec<_>) = self.all().into_iter().partition(|(at, _)| *at <= position);
        for (at, event) in &cut {
            self.remove(*at);
            if let Some((_, last)) = kept.iter().rfind(|(_, other)| other.stream == event.stream) {
                self.end(&event.stream, &self.stream(&event.stream), last.revision);
            }
        }
        for (_, event) in &cut {
            if kept.iter().all(|(_, other)| other.stream != event.stream) {
                self.streams.remove(&event.stream).unwrap();
            }
        }
        self.format.insert("head", position.to_be_bytes()).unwrap();
        std::fs::remove_file(copy.log().join("acknowledged")).unwrap();
    }

    /// Recomputes the hashes of an order from this event on, as Tenuto does: nothing in the order
    /// shows the change.
    pub fn chain_anew(&self, events: &mut [(u64, StoredEvent)], from: usize) {
        for index in from..events.len() {
            let before = index.checked_sub(1).map(|before| hash_of(&events[before].1)).unwrap_or_default();
            let (position, event) = &mut events[index];
            let mut metadata: Value = serde_json::from_slice(&event.metadata).unwrap();
            let id = Uuid::from_slice(&event.id).unwrap();
            metadata["hash"] = wire::link(&before, id, &event.event_type, &event.data, &metadata).into();
            event.metadata = metadata.to_string().into_bytes();
            self.put(*position, event);
        }
    }

    fn stream(&self, name: &str) -> StoredStream {
        StoredStream::decode(&*self.streams.get(name).unwrap().unwrap()).unwrap()
    }

    fn end(&self, name: &str, stream: &StoredStream, last_revision: u64) {
        let stream = StoredStream { last_revision: Some(last_revision), ..stream.clone() };
        self.streams.insert(name, stream.encode_to_vec()).unwrap();
    }
}

fn hash_of(event: &StoredEvent) -> String {
    let metadata: Value = serde_json::from_slice(&event.metadata).unwrap();
    metadata["hash"].as_str().unwrap().to_owned()
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

fn revision_key(stream: u64, revision: u64) -> Vec<u8> {
    [stream.to_be_bytes(), revision.to_be_bytes()].concat()
}

fn id_key(stream: u64, id: &[u8]) -> Vec<u8> {
    [&stream.to_be_bytes(), id].concat()
}
