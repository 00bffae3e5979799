//! Subscriptions: the old events, then the new ones, without gaps or duplicates in between.
//!
//! A subscription is only a cursor in the log. It reads on from its place. At the end of the log it
//! has caught up, and waits for more events. The writer does not know of it, so no queue can
//! overflow. A subscriber that falls behind reads from disk what is no longer in memory.

use std::sync::Arc;

use event_store_protocol::streams::ReadResp;
use event_store_protocol::streams::read_req::options::stream_options::RevisionOption;
use event_store_protocol::streams::read_resp::{CaughtUp, Content, FellBehind, SubscriptionConfirmation};
use futures::{StreamExt, stream};
use tonic::Status;
use uuid::Uuid;

use super::answers::{Answers, answers};
use super::convert::{self, Form};
use super::refusal;
use crate::filter::Filter;
use crate::reader::Reader;
use crate::storage::{Direction, Event, PageLimits, StreamPage};

/// When a filtered subscriber gets a checkpoint.
pub(super) struct Checkpoints {
    interval: u64,
    examined: u64,
    last: u64,
}

impl Checkpoints {
    /// One checkpoint for this many examined events.
    pub(super) fn every(interval: u64) -> Self {
        Self { interval: interval.max(1), examined: 0, last: 0 }
    }

    /// How many events may be examined before the next checkpoint is due.
    fn room(&self) -> usize {
        usize::try_from(self.interval - self.examined).unwrap_or(usize::MAX)
    }

    fn count(&mut self, count: usize) -> bool {
        self.examined += count as u64;
        let due = self.examined >= self.interval;
        if due {
            self.examined = 0;
        }
        due
    }

    fn message(&mut self, position: u64) -> Option<ReadResp> {
        if position <= self.last {
            return None;
        }
        self.last = position;
        Some(convert::response(Content::Checkpoint(convert::position(position))))
    }
}

pub(super) fn to_all(
    reader: Reader,
    after: u64,
    filter: Filter,
    checkpoints: Option<Checkpoints>,
    form: Form,
) -> Answers<ReadResp> {
    confirmed(answers(
        AllSubscription { reader, start: after, after, filter, checkpoints, form, live: false },
        AllSubscription::next,
    ))
}

pub(super) fn to_stream(reader: Reader, stream: String, after: RevisionOption, form: Form) -> Answers<ReadResp> {
    let next = match after {
        RevisionOption::Start(_) => 0,
        RevisionOption::Revision(revision) => revision.saturating_add(1),
        RevisionOption::End(_) => u64::MAX,
    };
    // Some clients send the end as the largest revision.
    let from_end = next == u64::MAX;
    confirmed(answers(
        StreamSubscription { reader, stream, next, from_end, live_after: None, behind: false, form },
        StreamSubscription::next,
    ))
}

fn confirmed(events: Answers<ReadResp>) -> Answers<ReadResp> {
    let confirmation = SubscriptionConfirmation { subscription_id: Uuid::new_v4().to_string() };
    let confirmation = convert::response(Content::Confirmation(confirmation));
    stream::once(async { Ok(confirmation) }).chain(events).boxed()
}

struct AllSubscription {
    reader: Reader,
    start: u64,
    /// The last position that was examined.
    after: u64,
    filter: Filter,
    checkpoints: Option<Checkpoints>,
    form: Form,
    live: bool,
}

impl AllSubscription {
    async fn next(mut self) -> Result<Option<(Vec<ReadResp>, Self)>, Status> {
        loop {
            let limits = PageLimits::default();
            let room = self.checkpoints.as_ref().map_or(limits.examined, Checkpoints::room);
            let limits = PageLimits { examined: limits.examined.min(room), ..limits };
            let page = self.reader.all_after(self.after, &self.filter, limits).await.map_err(refusal::unreadable)?;
            self.after = page.last.unwrap_or(self.after);

            let mut messages = Vec::new();
            if self.live && page.from_disk && page.examined > 0 {
                self.live = false;
                messages.push(convert::response(Content::FellBehind(FellBehind {})));
            }
            messages.extend(convert::read_events(&self.reader, page.events, self.form).await?);
            let caught_up = page.at_end && !self.live;
            if let Some(checkpoints) = &mut self.checkpoints {
                let due = checkpoints.count(page.examined) || (caught_up && self.after > self.start);
                messages.extend(due.then(|| checkpoints.message(self.after)).flatten());
            }
            if caught_up {
                self.live = true;
                messages.push(convert::response(Content::CaughtUp(CaughtUp {})));
            }
            if !messages.is_empty() {
                return Ok(Some((messages, self)));
            }
            if page.at_end {
                self.reader.wait_beyond(self.after).await.map_err(refusal::unreadable)?;
            }
        }
    }
}

struct StreamSubscription {
    reader: Reader,
    stream: String,
    /// The next revision to deliver.
    next: u64,
    from_end: bool,
    /// After catching up, new events are found in `$all`, after this position.
    live_after: Option<u64>,
    behind: bool,
    form: Form,
}

impl StreamSubscription {
    async fn next(self) -> Result<Option<(Vec<ReadResp>, Self)>, Status> {
        match self.live_after {
            None => self.catch_up().await.map(Some),
            Some(after) => self.follow(after).await.map(Some),
        }
    }

    async fn catch_up(mut self) -> Result<(Vec<ReadResp>, Self), Status> {
        // Taken before the page is read: later events are found in `$all`, and events that are in
        // both are skipped there.
        let head = self.reader.head();
        let page = self.reader.stream_page(&self.stream, self.next, Direction::Forwards, PageLimits::default()).await;
        let (events, more) = match page.map_err(refusal::unreadable)? {
            StreamPage::Deleted => return Err(refusal::stream_deleted(&self.stream)),
            StreamPage::NotFound => (Vec::new(), None),
            StreamPage::Page { events, next, .. } => (events, next),
        };
        let mut messages = self.hand_on(events).await?;
        if more.is_none() {
            if self.from_end {
                self.next = 0;
            }
            self.live_after = Some(head);
            messages.push(convert::response(Content::CaughtUp(CaughtUp {})));
        }
        Ok((messages, self))
    }

    async fn follow(mut self, mut after: u64) -> Result<(Vec<ReadResp>, Self), Status> {
        let filter = Filter::Stream(self.stream.clone());
        loop {
            let page = self.reader.all_after(after, &filter, PageLimits::default()).await;
            let page = page.map_err(refusal::unreadable)?;
            after = page.last.unwrap_or(after);
            let mut messages = Vec::new();
            if page.from_disk && page.examined > 0 && !self.behind {
                self.behind = true;
                messages.push(convert::response(Content::FellBehind(FellBehind {})));
            }
            let new = page.events.into_iter().filter(|event| event.record.revision >= self.next).collect();
            messages.extend(self.hand_on(new).await?);
            if self.behind && page.at_end {
                self.behind = false;
                messages.push(convert::response(Content::CaughtUp(CaughtUp {})));
            }
            self.live_after = Some(after);
            if !messages.is_empty() {
                return Ok((messages, self));
            }
            if page.at_end {
                self.reader.wait_beyond(after).await.map_err(refusal::unreadable)?;
            }
        }
    }

    async fn hand_on(&mut self, events: Vec<Arc<Event>>) -> Result<Vec<ReadResp>, Status> {
        if events.iter().any(|event| event.is_tombstone()) {
            return Err(refusal::stream_deleted(&self.stream));
        }
        if let Some(last) = events.last() {
            self.next = last.record.revision.saturating_add(1);
        }
        convert::read_events(&self.reader, events, self.form).await
    }
}
