//! Subscriptions: the old events, then the new ones, with nothing left out or said twice in between.
//!
//! A subscription is a cursor in the log and nothing else. It reads on from where it is; when there is nothing more it has
//! caught up, and waits until the log is longer. The writer does not know of it: no queue can overflow, and a
//! subscriber that falls behind reads from disk again what has left memory.

use std::sync::Arc;

use event_store_protocol::streams::ReadResp;
use event_store_protocol::streams::read_req::options::stream_options::RevisionOption;
use event_store_protocol::streams::read_resp::{CaughtUp, Content, FellBehind, SubscriptionConfirmation};
use futures::{StreamExt, stream};
use tonic::Status;
use uuid::Uuid;

use super::convert::{self, Form};
use super::read::answers;
use super::refusal;
use super::streams::Answers;
use crate::filter::Filter;
use crate::reader::Reader;
use crate::storage::{Direction, Event, PageLimits, StreamPage};

/// When a filtered subscriber is to be told how far it got.
pub(super) struct Checkpoints {
    interval: u64,
    looked_at: u64,
    last: u64,
}

impl Checkpoints {
    /// One for so many events looked at.
    pub(super) fn every(interval: u64) -> Self {
        Self { interval: interval.max(1), looked_at: 0, last: 0 }
    }

    /// How many events may be looked at before the next one is due.
    fn room(&self) -> usize {
        usize::try_from(self.interval - self.looked_at).unwrap_or(usize::MAX)
    }

    fn look_at(&mut self, count: usize) -> bool {
        self.looked_at += count as u64;
        let due = self.looked_at >= self.interval;
        if due {
            self.looked_at = 0;
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
    // Some clients say the end as the largest revision.
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
    /// The last position looked at.
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
            let room = self.checkpoints.as_ref().map_or(limits.looked_at, Checkpoints::room);
            let limits = PageLimits { looked_at: limits.looked_at.min(room), ..limits };
            let page = self.reader.all_after(self.after, &self.filter, limits).await.map_err(refusal::unreadable)?;
            self.after = page.last.unwrap_or(self.after);

            let mut messages = Vec::new();
            if self.live && page.from_disk && page.looked_at > 0 {
                self.live = false;
                messages.push(convert::response(Content::FellBehind(FellBehind {})));
            }
            messages.extend(convert::read_events(&self.reader, page.events, self.form).await?);
            let caught_up = page.at_end && !self.live;
            if let Some(checkpoints) = &mut self.checkpoints {
                let due = checkpoints.look_at(page.looked_at) || (caught_up && self.after > self.start);
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
    /// The next revision to hand on.
    next: u64,
    from_end: bool,
    /// Once caught up, new events are found in `$all`, after this position.
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
        // Taken before the page is read: what comes after it is found by following, and what comes twice is left out there.
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
            if page.from_disk && page.looked_at > 0 && !self.behind {
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
