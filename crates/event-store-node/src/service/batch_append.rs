//! Many appends on one connection. Each is answered when it is done, in any order.
//!
//! Appends to the same stream are made in arrival order. The number in flight is bounded: at the
//! bound no more requests are read, and flow control makes the client wait.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, SystemTime};

use event_store_protocol::google::rpc;
use event_store_protocol::shared::{self, Empty};
use event_store_protocol::streams::batch_append_req::Options;
use event_store_protocol::streams::batch_append_req::options::{DeadlineOption, ExpectedStreamPosition};
use event_store_protocol::streams::batch_append_resp::Result as Wire;
use event_store_protocol::streams::{BatchAppendReq, BatchAppendResp};
use futures::future::BoxFuture;
use futures::stream::{self, FuturesUnordered};
use futures::{FutureExt, StreamExt};
use prost::Name;
use prost_types::Any;
use tokio::time::Instant;
use tonic::{Code, Status, Streaming};
use uuid::Uuid;

use super::answers::Answers;
use super::{convert, refusal};
use crate::access::acl::Action;
use crate::access::rights::Rights;
use crate::change::{Change, Failure, Intent, Outcome, Proposed, Refusal};
use crate::decision::Expected;
use crate::intake::{Held, Intake};
use crate::writer::Writer;

const IN_FLIGHT: usize = 1024;
/// How many appends may be incomplete, with some messages received and the last one missing.
const INCOMPLETE: usize = 256;

pub(super) fn answers(
    writer: Writer,
    intake: Intake,
    rights: Rights,
    max_size: usize,
    requests: Streaming<BatchAppendReq>,
) -> Answers<BatchAppendResp> {
    let session = Session {
        writer,
        intake,
        rights,
        max_size,
        requests: Some(requests),
        incomplete: HashMap::new(),
        waiting: FuturesUnordered::new(),
    };
    stream::try_unfold(session, Session::next).boxed()
}

struct Session {
    writer: Writer,
    intake: Intake,
    rights: Rights,
    max_size: usize,
    /// `None` after the client's last request.
    requests: Option<Streaming<BatchAppendReq>>,
    incomplete: HashMap<Uuid, Incomplete>,
    waiting: FuturesUnordered<BoxFuture<'static, BatchAppendResp>>,
}

struct Incomplete {
    stream: String,
    expected: Expected,
    events: Vec<Proposed>,
    size: usize,
    held: Held,
    deadline: Option<Instant>,
    /// The time limit for the rest of it.
    late: Instant,
}

impl Session {
    async fn next(mut self) -> Result<Option<(BatchAppendResp, Self)>, Status> {
        loop {
            let may_take = self.waiting.len() < IN_FLIGHT;
            let answer = match &mut self.requests {
                Some(requests) if may_take => tokio::select! {
                    Some(answer) = self.waiting.next() => Some(answer),
                    request = requests.message() => self.take(request?).await?,
                    id = first_late(&self.incomplete) => {
                        let stream = self.forget(id);
                        Some(BatchAppendResp { stream_identifier: stream, ..answer(id, out_of_time()) })
                    }
                },
                _ => match self.waiting.next().await {
                    Some(answer) => Some(answer),
                    None => return Ok(None),
                },
            };
            if let Some(answer) = answer {
                return Ok(Some((answer, self)));
            }
        }
    }

    /// Takes one message, or the end of the messages. An invalid one is answered at once, if it has
    /// an id.
    async fn take(&mut self, request: Option<BatchAppendReq>) -> Result<Option<BatchAppendResp>, Status> {
        let Some(request) = request else {
            self.requests = None;
            return Ok(None);
        };
        let id = convert::uuid(request.correlation_id.clone())?;
        let stream = request.options.as_ref().and_then(|options| options.stream_identifier.clone());
        let permitted = match &stream {
            Some(stream) => permitted(&self.rights.clone(), stream).await,
            None => Ok(()),
        };
        match permitted.and_then(|()| self.gather(id, request)) {
            Ok(None) => Ok(None),
            Ok(Some(complete)) => {
                self.enqueue(id, complete).await;
                Ok(None)
            }
            Err(error) => {
                let stream_identifier = self.forget(id).or(stream);
                Ok(Some(BatchAppendResp { stream_identifier, ..answer(id, Wire::Error(error)) }))
            }
        }
    }

    /// Gives up an append, and returns its stream. Clients identify their append by the stream,
    /// whichever message was refused.
    fn forget(&mut self, id: Uuid) -> Option<shared::StreamIdentifier> {
        self.incomplete.remove(&id).map(|append| convert::identifier(&append.stream))
    }

    /// Adds a message to its append, and returns the append when it is complete.
    fn gather(&mut self, id: Uuid, request: BatchAppendReq) -> Result<Option<Incomplete>, rpc::Status> {
        let full = self.incomplete.len() >= INCOMPLETE;
        let mut entry = match (self.incomplete.entry(id), request.options) {
            (Entry::Occupied(entry), _) => entry,
            (Entry::Vacant(_), Some(_)) if full => return Err(failed(Failure::Overloaded)),
            (Entry::Vacant(entry), Some(options)) => entry.insert_entry(begin(&self.intake, options)?),
            // The rest of an append that was refused.
            (Entry::Vacant(_), None) => return Ok(None),
        };
        let append = entry.get_mut();
        for message in request.proposed_messages {
            let event = convert::proposed(message).map_err(|status| bad_request(&status))?;
            append.size += event.size();
            if append.size > self.max_size {
                return Err(too_large(self.max_size));
            }
            append.held.more(event.footprint()).map_err(failed)?;
            append.events.push(event);
        }
        Ok(request.is_final.then(|| entry.remove()))
    }

    async fn enqueue(&mut self, id: Uuid, append: Incomplete) {
        // The reserved room is released when there is room in the queue.
        let Incomplete { stream, expected, events, deadline, held: _held, .. } = append;
        let intent = Intent { stream: stream.clone(), expected, change: Change::Append(events) };
        // Nothing is written for a caller who no longer waits, even if the time ran out while the
        // queue was full.
        let is_over = deadline.is_some_and(|deadline| deadline <= Instant::now());
        let outcome = if is_over { None } else { in_time(Box::pin(self.writer.enqueue(intent)), deadline).await };
        let answer = async move {
            let result = match outcome {
                Some(Ok(outcome)) => match in_time(outcome, deadline).await {
                    Some(Ok(Ok(outcome))) => result(&stream, expected, outcome),
                    Some(Ok(Err(failure))) => Wire::Error(failed(failure)),
                    Some(Err(_)) => Wire::Error(failed(Failure::Closed)),
                    None => out_of_time(),
                },
                Some(Err(failure)) => Wire::Error(failed(failure)),
                None => out_of_time(),
            };
            BatchAppendResp { stream_identifier: Some(convert::identifier(&stream)), ..answer(id, result) }
        };
        self.waiting.push(answer.boxed());
    }
}

/// Refuses an append to a stream that the caller may not write.
async fn permitted(rights: &Rights, stream: &shared::StreamIdentifier) -> Result<(), rpc::Status> {
    // A name that is no text is refused as such.
    let Ok(name) = std::str::from_utf8(&stream.stream_name) else { return Ok(()) };
    rights.to(Action::Write, name).await.map_err(|status| match status.code() {
        Code::PermissionDenied => packed(Code::PermissionDenied, &shared::AccessDenied {}),
        code => rpc::Status { message: status.message().into(), ..packed(code, &shared::Unknown {}) },
    })
}

fn begin(intake: &Intake, options: Options) -> Result<Incomplete, rpc::Status> {
    let stream = convert::writable_stream_name(options.stream_identifier).map_err(|status| match status.code() {
        Code::PermissionDenied => packed(Code::PermissionDenied, &shared::AccessDenied {}),
        _ => bad_request(&status),
    })?;
    let expected = match options.expected_stream_position {
        Some(ExpectedStreamPosition::Any(_)) => Expected::Any,
        Some(ExpectedStreamPosition::NoStream(_)) => Expected::NoStream,
        Some(ExpectedStreamPosition::StreamExists(_)) => Expected::StreamExists,
        Some(ExpectedStreamPosition::StreamPosition(revision)) => Expected::Revision(revision),
        None => return Err(bad_request(&refusal::missing("ExpectedStreamPosition"))),
    };
    let deadline = options.deadline_option.map(time_left).and_then(|left| Instant::now().checked_add(left));
    let late = Instant::now() + intake.patience;
    Ok(Incomplete { stream, expected, events: Vec::new(), size: 0, held: intake.nothing(), deadline, late })
}

/// Waits until the rest of an incomplete append is late, and returns its id. There may be no
/// incomplete append.
async fn first_late(incomplete: &HashMap<Uuid, Incomplete>) -> Uuid {
    match incomplete.iter().min_by_key(|(_, append)| append.late) {
        Some((id, append)) => {
            tokio::time::sleep_until(append.late).await;
            *id
        }
        None => std::future::pending().await,
    }
}

/// How long the caller will wait. Older clients send a point in time, newer ones a duration.
fn time_left(deadline: DeadlineOption) -> Duration {
    match deadline {
        DeadlineOption::Deadline(left) => span(left.seconds, left.nanos),
        DeadlineOption::Deadline21100(moment) => {
            let moment = SystemTime::UNIX_EPOCH.checked_add(span(moment.seconds, moment.nanos));
            // A point in time that no clock can represent never arrives.
            moment.map_or(Duration::MAX, |moment| moment.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO))
        }
    }
}

/// A duration in the protocol's form. Zero if it is negative. The conversions of the message's type
/// overflow for the smallest number.
fn span(seconds: i64, nanos: i32) -> Duration {
    match (u64::try_from(seconds), u32::try_from(nanos)) {
        (Ok(seconds), Ok(nanos)) => Duration::new(seconds, nanos.min(999_999_999)),
        _ => Duration::ZERO,
    }
}

/// `None`: no result in time, but it may still come.
async fn in_time<T>(outcome: impl Future<Output = T> + Unpin, deadline: Option<Instant>) -> Option<T> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, outcome).await.ok(),
        None => Some(outcome.await),
    }
}

fn answer(id: Uuid, result: Wire) -> BatchAppendResp {
    let correlation_id = shared::Uuid { value: Some(shared::uuid::Value::String(id.to_string())) };
    BatchAppendResp { correlation_id: Some(correlation_id), result: Some(result), ..BatchAppendResp::default() }
}

fn result(stream: &str, expected: Expected, outcome: Outcome) -> Wire {
    match outcome {
        Ok(written) => Wire::Success(convert::success(written)),
        Err(Refusal::WrongExpectedRevision { current }) => {
            Wire::Error(packed(Code::AlreadyExists, &wrong_expected_version(expected, current)))
        }
        Err(Refusal::StreamDeleted) => {
            let deleted = shared::StreamDeleted { stream_identifier: Some(convert::identifier(stream)) };
            Wire::Error(packed(Code::NotFound, &deleted))
        }
    }
}

fn wrong_expected_version(expected: Expected, current: Option<u64>) -> shared::WrongExpectedVersion {
    use shared::wrong_expected_version::{
        CurrentStreamRevisionOption as Current, ExpectedStreamPositionOption as Wanted,
    };

    shared::WrongExpectedVersion {
        current_stream_revision_option: Some(match current {
            Some(revision) => Current::CurrentStreamRevision(revision),
            None => Current::CurrentNoStream(Empty {}),
        }),
        expected_stream_position_option: Some(match expected {
            Expected::Any => Wanted::ExpectedAny(Empty {}),
            Expected::NoStream => Wanted::ExpectedNoStream(Empty {}),
            Expected::StreamExists => Wanted::ExpectedStreamExists(Empty {}),
            Expected::Revision(revision) => Wanted::ExpectedStreamPosition(revision),
        }),
    }
}

fn out_of_time() -> Wire {
    Wire::Error(packed(Code::DeadlineExceeded, &shared::Timeout {}))
}

fn too_large(max: usize) -> rpc::Status {
    let max_append_size = u32::try_from(max).unwrap_or(u32::MAX);
    packed(Code::InvalidArgument, &shared::MaximumAppendSizeExceeded { max_append_size })
}

fn bad_request(status: &Status) -> rpc::Status {
    packed(Code::InvalidArgument, &shared::BadRequest { message: status.message().into() })
}

fn failed(failure: Failure) -> rpc::Status {
    let status = refusal::failed(failure);
    rpc::Status { message: status.message().into(), ..packed(status.code(), &shared::Unknown {}) }
}

/// Clients distinguish refusals by the message packed into the details, and some by the text, which
/// is its name.
fn packed<M: Name>(code: Code, details: &M) -> rpc::Status {
    let details = Any { type_url: M::type_url(), value: details.encode_to_vec() };
    rpc::Status { code: code.into(), message: M::NAME.into(), details: Some(details) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_deadline_has_passed_or_never_comes() {
        let extremes = [i64::MIN, -1, 0, i64::MAX];
        for (seconds, nanos) in extremes.iter().flat_map(|seconds| [(*seconds, i32::MIN), (*seconds, i32::MAX)]) {
            let left = time_left(DeadlineOption::Deadline(prost_types::Duration { seconds, nanos }));
            assert_eq!(left > Duration::ZERO, seconds >= 0 && nanos > 0, "{seconds} {nanos}");
            let left = time_left(DeadlineOption::Deadline21100(prost_types::Timestamp { seconds, nanos }));
            assert_eq!(left > Duration::ZERO, seconds == i64::MAX && nanos > 0, "{seconds} {nanos}");
        }
    }
}
