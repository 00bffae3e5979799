//! `Read`: the request, and answers with an end. Answers without an end are in
//! [`super::subscribe`].
//!
//! An answer is a stream over a cursor: each step reads one page and turns it into messages.
//! Nothing runs unless the client takes messages, so a slow reader holds one page and delays no
//! other reader.

use std::ops::RangeInclusive;

use event_store_protocol::streams::read_req::Options;
use event_store_protocol::streams::read_req::options::all_options::AllOption;
use event_store_protocol::streams::read_req::options::filter_options::{self, Window};
use event_store_protocol::streams::read_req::options::stream_options::RevisionOption;
use event_store_protocol::streams::read_req::options::{CountOption, FilterOption, ReadDirection, StreamOption};
use event_store_protocol::streams::read_resp::{Content, StreamNotFound};
use event_store_protocol::streams::{ReadReq, ReadResp};
use futures::{StreamExt, stream};
use tonic::Status;

use super::answers::{Answers, answers};
use super::convert::{self, Form, IdForm};
use super::refusal;
use super::subscribe::{self, Checkpoints};
use crate::access::acl::Action;
use crate::access::rights::Rights;
use crate::filter::{Filter, Pattern};
use crate::reader::Reader;
use crate::storage::{Direction, PageLimits, StreamPage};

/// How many events a filtered read examines between two checkpoints by default.
const DEFAULT_WINDOW: u32 = 32;

pub(super) async fn read(reader: &Reader, rights: &Rights, request: ReadReq) -> Result<Answers<ReadResp>, Status> {
    let options = request.options.ok_or_else(|| refusal::missing("Options"))?;
    let ids = IdForm::from_wire(options.uuid_option.and_then(|option| option.content))?;
    let form = Form { ids, follow_links: options.resolve_links };
    let direction = match options.read_direction() {
        ReadDirection::Forwards => Direction::Forwards,
        ReadDirection::Backwards => Direction::Backwards,
    };
    let compatibility = options.control_option.map_or(0, |option| option.compatibility);
    let Options { stream_option, count_option, filter_option, .. } = options;
    let filter = filter_option.ok_or_else(|| refusal::missing("FilterOption"))?;
    match &stream_option {
        Some(StreamOption::Stream(options)) => {
            rights.to(Action::Read, &convert::stream_name(options.stream_identifier.clone())?).await?;
        }
        Some(StreamOption::All(_)) => rights.to(Action::Read, convert::ALL).await?,
        None => {}
    }
    let reader = reader.clone();

    match (stream_option, count_option, direction, filter) {
        (Some(StreamOption::Stream(options)), Some(CountOption::Count(count)), _, FilterOption::NoFilter(_)) => {
            let stream = convert::stream_name(options.stream_identifier)?;
            let from = options.revision_option.ok_or_else(|| refusal::missing("RevisionOption"))?;
            let from = first_revision(from, direction);
            let reports_end = compatibility >= 1;
            let cursor = StreamRead { reader, stream, from, remaining: count, direction, form, reports_end };
            begun(cursor, StreamRead::next).await
        }
        (Some(StreamOption::All(options)), Some(CountOption::Count(count)), _, filter) => {
            let (filter, _) = filter_from(filter)?;
            let from = options.all_option.ok_or_else(|| refusal::missing("AllOption"))?;
            let positions = positions(from, direction);
            begun(AllRead { reader, positions, remaining: count, direction, filter, form }, AllRead::next).await
        }
        (
            Some(StreamOption::Stream(options)),
            Some(CountOption::Subscription(_)),
            Direction::Forwards,
            FilterOption::NoFilter(_),
        ) => {
            let stream = convert::stream_name(options.stream_identifier)?;
            let after = options.revision_option.ok_or_else(|| refusal::missing("RevisionOption"))?;
            Ok(subscribe::to_stream(reader, stream, after, form))
        }
        (Some(StreamOption::All(options)), Some(CountOption::Subscription(_)), Direction::Forwards, filter) => {
            let (filter, checkpoints) = filter_from(filter)?;
            let after = match options.all_option.ok_or_else(|| refusal::missing("AllOption"))? {
                AllOption::Start(_) => 0,
                // Some clients send the end as the largest position.
                AllOption::Position(position) if position.commit_position < u64::MAX => position.commit_position,
                AllOption::Position(_) | AllOption::End(_) => reader.head(),
            };
            Ok(subscribe::to_all(reader, after, filter, checkpoints, form))
        }
        _ => Err(refusal::invalid("The options of the read cannot be combined.")),
    }
}

/// [`answers`] for a read with an end. Its first page is read before anything is sent, so that an
/// error there is the answer itself (`Trailers-Only`), where clients look for it first.
async fn begun<C, F, Fut>(cursor: C, step: F) -> Result<Answers<ReadResp>, Status>
where
    C: Send + 'static,
    F: Fn(C) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Option<(Vec<ReadResp>, C)>, Status>> + Send + 'static,
{
    let Some((first, cursor)) = step(cursor).await? else { return Ok(stream::empty().boxed()) };
    Ok(stream::iter(first).map(Ok).chain(answers(cursor, step)).boxed())
}

fn filter_from(option: FilterOption) -> Result<(Filter, Option<Checkpoints>), Status> {
    let FilterOption::Filter(wire) = option else { return Ok((Filter::Everything, None)) };
    let pattern = |expression: filter_options::Expression| {
        Pattern::new(&expression.regex, expression.prefix)
            .map_err(|error| refusal::invalid(format!("The filter's expression cannot be used: {error}")))
    };
    let filter = match wire.filter.ok_or_else(|| refusal::missing("Filter"))? {
        filter_options::Filter::StreamIdentifier(expression) => Filter::OnStream(pattern(expression)?),
        filter_options::Filter::EventType(expression) => Filter::OnEventType(pattern(expression)?),
    };
    let window = match wire.window.ok_or_else(|| refusal::missing("Window"))? {
        Window::Max(window) => window,
        Window::Count(_) => DEFAULT_WINDOW,
    };
    let interval = u64::from(window) * u64::from(wire.checkpoint_interval_multiplier);
    Ok((filter, Some(Checkpoints::every(interval))))
}

fn first_revision(option: RevisionOption, direction: Direction) -> u64 {
    match (option, direction) {
        (RevisionOption::Revision(revision), _) => revision,
        (RevisionOption::Start(_), _) => 0,
        (RevisionOption::End(_), _) => u64::MAX,
    }
}

/// Forwards a position is included, backwards it is not: a position is the gap before an event.
fn positions(option: AllOption, direction: Direction) -> RangeInclusive<u64> {
    match (option, direction) {
        (AllOption::Start(_), Direction::Forwards) | (AllOption::End(_), Direction::Backwards) => 1..=u64::MAX,
        (AllOption::Start(_), Direction::Backwards) | (AllOption::End(_), Direction::Forwards) => nothing(),
        (AllOption::Position(position), Direction::Forwards) => position.commit_position.max(1)..=u64::MAX,
        (AllOption::Position(position), Direction::Backwards) => {
            position.commit_position.checked_sub(1).map_or_else(nothing, |last| 1..=last)
        }
    }
}

#[expect(clippy::reversed_empty_ranges, reason = "no position is in it")]
fn nothing() -> RangeInclusive<u64> {
    1..=0
}

struct StreamRead {
    reader: Reader,
    stream: String,
    from: u64,
    remaining: u64,
    direction: Direction,
    form: Form,
    /// Whether the caller understands a message that states the end of the stream.
    reports_end: bool,
}

impl StreamRead {
    async fn next(mut self) -> Result<Option<(Vec<ReadResp>, Self)>, Status> {
        if self.remaining == 0 {
            return Ok(None);
        }
        let limits = page_limits(self.remaining);
        let page = self.reader.stream_page(&self.stream, self.from, self.direction, limits).await;
        let (events, last, next) = match page.map_err(refusal::unreadable)? {
            StreamPage::Deleted => return Err(refusal::stream_deleted(&self.stream)),
            StreamPage::NotFound => {
                self.remaining = 0;
                let stream_identifier = Some(convert::identifier(&self.stream));
                let not_found = Content::StreamNotFound(StreamNotFound { stream_identifier });
                return Ok(Some((vec![convert::response(not_found)], self)));
            }
            StreamPage::Page { events, last, next } => (events, last, next),
        };
        let count = events.len() as u64;
        let mut messages = convert::read_events(&self.reader, events, self.form).await?;
        if count == 0 && self.direction == Direction::Forwards && self.reports_end && self.from != last + 1 {
            messages.push(convert::response(Content::FirstStreamPosition(last + 1)));
        }
        self.remaining -= count;
        match next {
            Some(next) if self.remaining > 0 => self.from = next,
            _ => {
                self.remaining = 0;
                if self.reports_end {
                    messages.push(convert::response(Content::LastStreamPosition(last)));
                }
            }
        }
        Ok(Some((messages, self)))
    }
}

struct AllRead {
    reader: Reader,
    positions: RangeInclusive<u64>,
    remaining: u64,
    direction: Direction,
    filter: Filter,
    form: Form,
}

impl AllRead {
    async fn next(mut self) -> Result<Option<(Vec<ReadResp>, Self)>, Status> {
        if self.remaining == 0 {
            return Ok(None);
        }
        let limits = page_limits(self.remaining);
        let page = self.reader.all_page(self.positions.clone(), self.direction, &self.filter, limits).await;
        let page = page.map_err(refusal::unreadable)?;
        self.remaining -= page.events.len() as u64;
        let (first, last) = self.positions.clone().into_inner();
        match (page.last, self.direction) {
            (Some(seen), Direction::Forwards) if !page.at_end => self.positions = seen.saturating_add(1)..=last,
            (Some(seen), Direction::Backwards) if !page.at_end => self.positions = first..=seen.saturating_sub(1),
            _ => self.remaining = 0,
        }
        let messages = convert::read_events(&self.reader, page.events, self.form).await?;
        Ok(Some((messages, self)))
    }
}

fn page_limits(remaining: u64) -> PageLimits {
    let limits = PageLimits::default();
    PageLimits { events: usize::try_from(remaining).unwrap_or(usize::MAX).min(limits.events), ..limits }
}
