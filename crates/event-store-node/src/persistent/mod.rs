//! Groups of consumers that share a stream, or `$all`: each event goes to one consumer, and the
//! node stores the group's checkpoint.
//!
//! From the outside in: [`Groups`] has the list of groups. Each runs as an [`engine`], a task that
//! reads with a [`cursor`] and records its state in the log ([`books`]). Which consumer has which
//! event, and what is finished, is decided by [`group`], which is pure.
//!
//! An event is delivered at least once. For a group without consumers nothing is read ahead. For a
//! group with consumers at most its history buffer is.

mod books;
pub(crate) mod consumer;
mod cursor;
pub(crate) mod engine;
pub(crate) mod group;
pub(crate) mod measure;
pub(crate) mod message;
pub(crate) mod settings;
mod strategy;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Mutex, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use books::Books;
use engine::{Command, Description, Engine, Handle};
use settings::{ALL, Entry, FilterText, GroupKey, Settings, Start};

use super::read_write_error::ReadWriteError;
use super::reader::ReadFailure;
use super::storage::{Direction, PageLimits, StreamPage};

/// Why a request about a group was refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    Exists,
    DoesNotExist,
    /// The group cannot start there, with the reason.
    Start(String),
}

type Outcome<T> = Result<Result<T, Refusal>, ReadWriteError>;

struct Member {
    entry: Entry,
    handle: Handle,
}

/// All groups of the node.
#[derive(Clone)]
pub(crate) struct Groups {
    books: Books,
    closing: CancellationToken,
    tasks: TaskTracker,
    /// Locked while a group is created, changed or deleted: each of these records the whole list.
    members: Arc<Mutex<BTreeMap<GroupKey, Member>>>,
}

impl Groups {
    /// Loads the existing groups.
    pub(crate) async fn open(
        books: Books,
        closing: CancellationToken,
        tasks: TaskTracker,
    ) -> Result<Self, ReadFailure> {
        let groups = Self { books, closing, tasks, members: Arc::default() };
        let mut members = groups.members.lock().await;
        for entry in groups.books.groups().await? {
            let member = groups.set_to_work(entry).await?;
            members.insert(member.entry.key.clone(), member);
        }
        drop(members);
        Ok(groups)
    }

    async fn set_to_work(&self, entry: Entry) -> Result<Member, ReadFailure> {
        let engine = Engine::new(entry.clone(), self.books.clone()).await?;
        let (handle, work) = engine.start(self.closing.clone());
        self.tasks.spawn(work);
        Ok(Member { entry, handle })
    }

    pub(crate) async fn create(
        &self,
        key: GroupKey,
        settings: Settings,
        start: Start,
        filter: Option<FilterText>,
    ) -> Outcome<()> {
        let mut members = self.members.lock().await;
        if members.contains_key(&key) {
            return Ok(Err(Refusal::Exists));
        }
        let first = match self.first(&key, start).await? {
            Ok(first) => first,
            Err(refused) => return Ok(Err(refused)),
        };
        let entry = Entry { key: key.clone(), settings, start, first, filter };
        let written = members.values().map(|member| member.entry.clone()).chain([entry.clone()]).collect();
        self.books.write_groups(written).await?;
        members.insert(key, self.set_to_work(entry).await?);
        Ok(Ok(()))
    }

    /// Changes a group's settings. As on any server, its consumers have to connect again.
    pub(crate) async fn update(&self, key: &GroupKey, settings: Settings, start: Option<Start>) -> Outcome<()> {
        let mut members = self.members.lock().await;
        let Some(member) = members.get(key) else { return Ok(Err(Refusal::DoesNotExist)) };
        let mut entry = Entry { settings, ..member.entry.clone() };
        if let Some(start) = start.filter(|start| *start != entry.start) {
            entry = match self.first(key, start).await? {
                Ok(first) => Entry { start, first, ..entry },
                Err(refused) => return Ok(Err(refused)),
            };
        }
        let others = members.values().filter(|other| other.entry.key != *key).map(|other| other.entry.clone());
        self.books.write_groups(others.chain([entry.clone()]).collect()).await?;
        end(&member.handle).await;
        members.insert(key.clone(), self.set_to_work(entry).await?);
        Ok(Ok(()))
    }

    pub(crate) async fn delete(&self, key: &GroupKey) -> Outcome<()> {
        let mut members = self.members.lock().await;
        let Some(member) = members.get(key) else { return Ok(Err(Refusal::DoesNotExist)) };
        let others = members.values().filter(|other| other.entry.key != *key).map(|other| other.entry.clone());
        self.books.write_groups(others.collect()).await?;
        end(&member.handle).await;
        members.remove(key);
        self.books.forget(key).await?;
        Ok(Ok(()))
    }

    /// A running group.
    pub(crate) async fn find(&self, key: &GroupKey) -> Option<Handle> {
        self.members.lock().await.get(key).map(|member| member.handle.clone())
    }

    /// The state of all groups, or of those that read one stream.
    pub(crate) async fn describe(&self, source: Option<&str>) -> Vec<Description> {
        let handles: Vec<_> = self
            .members
            .lock()
            .await
            .iter()
            .filter(|(key, _)| source.is_none_or(|source| key.source == source))
            .map(|(_, member)| member.handle.clone())
            .collect();
        let mut descriptions = Vec::with_capacity(handles.len());
        for handle in handles {
            descriptions.extend(describe(&handle).await);
        }
        descriptions
    }

    /// Ends all groups and starts them again.
    pub(crate) async fn restart(&self) -> Result<(), ReadWriteError> {
        let mut members = self.members.lock().await;
        for member in members.values_mut() {
            end(&member.handle).await;
            *member = self.set_to_work(member.entry.clone()).await?;
        }
        Ok(())
    }

    /// The first place that a group reads. If a client names a place, the event at that place is
    /// the first that the group gets.
    async fn first(&self, key: &GroupKey, start: Start) -> Result<Result<u64, Refusal>, ReadFailure> {
        let head = self.books.reader.head();
        Ok(Ok(match (start, key.source == ALL) {
            (Start::Beginning, _) => 0,
            (Start::At(position), true) if position > head => {
                return Ok(Err(Refusal::Start(format!(
                    "the commit position {position} is beyond the end of the log, which is {head}"
                ))));
            }
            (Start::At(place), _) => place,
            (Start::End, true) => head + 1,
            (Start::End, false) => {
                let one = PageLimits { events: 1, ..PageLimits::default() };
                match self.books.reader.stream_page(&key.source, u64::MAX, Direction::Backwards, one).await? {
                    StreamPage::Page { last, .. } => last + 1,
                    StreamPage::NotFound | StreamPage::Deleted => 0,
                }
            }
        }))
    }
}

/// The state of one group. `None`: it has ended meanwhile.
pub(crate) async fn describe(handle: &Handle) -> Option<Description> {
    let (answer, described) = oneshot::channel();
    handle.send(Command::Describe { answer }).await.ok()?;
    described.await.ok()
}

async fn end(handle: &Handle) {
    let (answer, ended) = oneshot::channel();
    if handle.send(Command::End { answer }).await.is_ok() {
        // An error means that the group has already ended by itself.
        let _ = ended.await;
    }
}
