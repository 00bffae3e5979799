//! The log on disk.
//!
//! Seven keyspaces of one `fjall` database. A group of appends goes into all of them in one batch,
//! which is written to the journal and synced before any append is acknowledged. After a crash the
//! batch exists completely or not at all. The [`journal`] is checked for damage before the engine
//! opens it, with the help of a [`mark`] that has the acknowledged position. Older data is in
//! [`tables`] of blocks with checksums, which the engine compares on each read. What the engine
//! does not compare is checked before it opens them. A [`check`] covers everything.
//!
//! | keyspace    | key                | value                                       |
//! |-------------|--------------------|---------------------------------------------|
//! | `events`    | position           | the event                                   |
//! | `streams`   | stream name        | the stream's number and last revision       |
//! | `limits`    | stream name        | the truncation that its metadata sets       |
//! | `revisions` | number, revision   | position                                    |
//! | `ids`       | number, event id   | revision                                    |
//! | `format`    | `version`, `head`  | the format's version; the last position     |
//! | `removed`   | position           | nothing: a scavenge has removed the event   |
//!
//! Positions are 1, 2, 3, …: dense, so that a part of the log in memory can be addressed by
//! position. A scavenge leaves a row in `removed` for each event that it removes ([`removed`]), and
//! no other position changes. Opening counts and scans nothing: the last position is the last key.
//! The cost of opening is the replay of the journal, whose size is bounded (`JOURNAL_BYTES` in
//! [`database`]).
//!
//! `fjall` and not `redb`: measured with these keys and 600-byte events, synced per batch, on ext4.
//! A single append took 0.6 ms with `fjall` and 0.4 ms with `redb`, but 16 in a batch took 0.3 ms
//! against 2.7 ms, and 128 took 4 ms against 9.5 ms, with half the bytes written. Under load
//! appends come in groups, so the group counts.

mod batch;
mod check;
mod compaction;
mod database;
mod error;
pub(crate) mod event;
mod files;
mod folder;
mod journal;
mod keys;
mod keyspaces;
mod links;
mod mark;
mod pages;
mod private;
mod removed;
mod report;
mod stored;
mod tables;
mod view;
mod walk;
mod waste;

pub(crate) use batch::{Batch, Replay};
pub use check::check_log;
pub(crate) use compaction::Stop;
pub(crate) use database::Storage;
pub use error::StorageError;
pub(crate) use error::guarded;
pub(crate) use event::Event;
pub use folder::remove_log;
pub(crate) use links::Resolved;
pub(crate) use pages::{AllPage, Direction, PageLimits, StreamPage};
pub use report::CheckReport;
pub(crate) use stored::{StoredEvent, StoredLimits, StoredStream};
pub(crate) use view::{View, Visible};
pub(crate) use waste::Waste;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;
