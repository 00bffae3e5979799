//! One append: the options, then the events, then the answer.

use event_store_protocol::shared::Empty;
use event_store_protocol::streams::append_req::options::ExpectedStreamRevision;
use event_store_protocol::streams::append_req::{Content, Options};
use event_store_protocol::streams::append_resp::{WrongExpectedVersion, wrong_expected_version as wrong};
use event_store_protocol::streams::{AppendReq, AppendResp, append_resp};
use tokio::time::timeout;
use tonic::{Status, Streaming};

use super::{convert, refusal};
use crate::access::acl::Action;
use crate::access::rights::Rights;
use crate::change::{Change, Intent, Refusal};
use crate::decision::Expected;
use crate::intake::{Held, Intake};
use crate::writer::Writer;

pub(super) async fn append(
    writer: &Writer,
    intake: &Intake,
    rights: &Rights,
    max_size: usize,
    requests: Streaming<AppendReq>,
) -> Result<AppendResp, Status> {
    let mut held = intake.nothing();
    let gathered = timeout(intake.patience, gather(rights, max_size, requests, &mut held)).await;
    let Intent { stream, expected, change } = gathered.map_err(|_| refusal::late("append"))??;
    let intent = Intent { stream: stream.clone(), expected, change };
    let result = match writer.change(intent).await.map_err(refusal::failed)? {
        Ok(written) => append_resp::Result::Success(convert::success(written)),
        Err(Refusal::WrongExpectedRevision { current }) => {
            append_resp::Result::WrongExpectedVersion(wrong_version(expected, current))
        }
        Err(Refusal::StreamDeleted) => return Err(refusal::stream_deleted(&stream)),
    };
    Ok(AppendResp { result: Some(result) })
}

/// Reads the events to append. `held` is their reserved room.
async fn gather(
    rights: &Rights,
    max_size: usize,
    mut requests: Streaming<AppendReq>,
    held: &mut Held,
) -> Result<Intent, Status> {
    let Some(Content::Options(options)) = requests.message().await?.and_then(|request| request.content) else {
        return Err(refusal::missing("Options"));
    };
    let (stream, expected) = target(options)?;
    rights.to(Action::Write, &stream).await?;

    let mut events = Vec::new();
    let mut size = 0;
    while let Some(request) = requests.message().await? {
        let Some(Content::ProposedMessage(message)) = request.content else {
            return Err(refusal::missing("ProposedMessage"));
        };
        let event = convert::proposed(message)?;
        size += event.size();
        if size > max_size {
            return Err(refusal::too_large(max_size));
        }
        held.more(event.footprint()).map_err(refusal::failed)?;
        events.push(event);
    }
    Ok(Intent { stream, expected, change: Change::Append(events) })
}

/// The stream to change, and the caller's expectation about it.
pub(super) fn target(options: Options) -> Result<(String, Expected), Status> {
    let stream = convert::writable_stream_name(options.stream_identifier)?;
    let expected = match options.expected_stream_revision {
        Some(ExpectedStreamRevision::Any(_)) => Expected::Any,
        Some(ExpectedStreamRevision::NoStream(_)) => Expected::NoStream,
        Some(ExpectedStreamRevision::StreamExists(_)) => Expected::StreamExists,
        Some(ExpectedStreamRevision::Revision(revision)) => Expected::Revision(revision),
        None => return Err(refusal::missing("ExpectedStreamRevision")),
    };
    Ok((stream, expected))
}

fn wrong_version(expected: Expected, current: Option<u64>) -> WrongExpectedVersion {
    use wrong::{CurrentRevisionOption, CurrentRevisionOption2060, ExpectedRevisionOption, ExpectedRevisionOption2060};

    let (present, present_before) = match current {
        Some(revision) => {
            (CurrentRevisionOption::CurrentRevision(revision), CurrentRevisionOption2060::CurrentRevision2060(revision))
        }
        None => (CurrentRevisionOption::CurrentNoStream(Empty {}), CurrentRevisionOption2060::NoStream2060(Empty {})),
    };
    let (wanted, wanted_before) = match expected {
        Expected::Any => (ExpectedRevisionOption::ExpectedAny(Empty {}), ExpectedRevisionOption2060::Any2060(Empty {})),
        Expected::StreamExists => (
            ExpectedRevisionOption::ExpectedStreamExists(Empty {}),
            ExpectedRevisionOption2060::StreamExists2060(Empty {}),
        ),
        // The first version of the protocol could express it only as the largest number.
        Expected::NoStream => (
            ExpectedRevisionOption::ExpectedNoStream(Empty {}),
            ExpectedRevisionOption2060::ExpectedRevision2060(u64::MAX),
        ),
        Expected::Revision(revision) => (
            ExpectedRevisionOption::ExpectedRevision(revision),
            ExpectedRevisionOption2060::ExpectedRevision2060(revision),
        ),
    };
    WrongExpectedVersion {
        current_revision_option_20_6_0: Some(present_before),
        expected_revision_option_20_6_0: Some(wanted_before),
        current_revision_option: Some(present),
        expected_revision_option: Some(wanted),
    }
}
