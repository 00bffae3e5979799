//! What a client sends when it creates or changes a group.

use event_store_protocol::persistent as wire;
use event_store_protocol::persistent::all_options::{AllOption, FilterOption};
use event_store_protocol::persistent::create_req::options::StreamOption;
use event_store_protocol::persistent::settings::{CheckpointAfter, ConsumerStrategy, MessageTimeout};
use event_store_protocol::persistent::stream_options::RevisionOption;
use event_store_protocol::shared::{AllStreamPosition, StreamIdentifier};
use event_store_protocol::streams::read_req::options::filter_options::Filter;
use tonic::Status;

use super::{convert, refusal};
use crate::persistent::settings::{ALL, FilterText, GroupKey, Settings, Start, Strategy};

const TICKS_PER_MILLISECOND: i64 = 10_000;

/// The group that a call is about. `stream` distinguishes a stream from `$all`.
pub(super) fn group_key<S>(
    group: String,
    stream: impl FnOnce(S) -> Option<StreamIdentifier>,
    option: Option<S>,
) -> Result<GroupKey, Status> {
    let source = match stream(option.ok_or_else(|| refusal::missing("StreamOption"))?) {
        Some(identifier) => convert::stream_name(Some(identifier))?,
        None => ALL.into(),
    };
    if group.is_empty() {
        return Err(refusal::missing("GroupName"));
    }
    Ok(GroupKey { source, group })
}

/// A group to create.
pub(super) fn made(request: wire::CreateReq) -> Result<(GroupKey, Settings, Start, Option<FilterText>), Status> {
    let mut options = request.options.ok_or_else(|| refusal::missing("Options"))?;
    let filter = match &mut options.stream_option {
        Some(StreamOption::All(all)) => filter(all.filter_option.take())?,
        _ => None,
    };
    let (key, settings, start) = read(options)?;
    Ok((key, settings, start.unwrap_or(Start::Beginning), filter))
}

/// A group to change. The start is `None` if the client does not set it.
pub(super) fn changed(request: wire::UpdateReq) -> Result<(GroupKey, Settings, Option<Start>), Status> {
    read(request.options.ok_or_else(|| refusal::missing("Options"))?)
}

fn read(options: wire::create_req::Options) -> Result<(GroupKey, Settings, Option<Start>), Status> {
    let wire = options.settings.ok_or_else(|| refusal::missing("Settings"))?;
    // The first version of the protocol had the stream outside of the options, and the start among
    // the settings.
    let (source, start) = match options.stream_option {
        Some(StreamOption::Stream(stream)) => {
            (stream.stream_identifier, stream.revision_option.map(|option| Ok(revision_start(option))))
        }
        Some(StreamOption::All(all)) => (None, all.all_option.map(all_start)),
        None => {
            let stream = options.stream_identifier.ok_or_else(|| refusal::missing("StreamOption"))?;
            (Some(stream), Some(Ok(at(wire.revision))))
        }
    };
    let key = group_key(options.group_name, |source| source, Some(source))?;
    let failed = |reason: String| refusal::group_failed(&key.source, &key.group, &reason);
    let start = start.transpose().map_err(failed)?;
    let settings = settings(&wire, strategy(&wire).map_err(failed)?)?;
    // `MinCheckpointCount` above `MaxCheckpointCount` is allowed: the larger number then has no
    // effect.
    if settings.history_buffer_size <= settings.read_batch_size {
        let Settings { history_buffer_size: history, read_batch_size: batch, .. } = settings;
        return Err(failed(format!("HistoryBufferSize ({history}) must be larger than ReadBatchSize ({batch})")));
    }
    Ok((key, settings, start))
}

/// Some clients send the end as the largest number.
fn at(place: u64) -> Start {
    if place == u64::MAX { Start::End } else { Start::At(place) }
}

fn revision_start(option: RevisionOption) -> Start {
    match option {
        RevisionOption::Start(_) => Start::Beginning,
        RevisionOption::End(_) => Start::End,
        RevisionOption::Revision(revision) => at(revision),
    }
}

/// The error is the reason.
fn all_start(option: AllOption) -> Result<Start, String> {
    match option {
        AllOption::Start(_) => Ok(Start::Beginning),
        AllOption::End(_) => Ok(Start::End),
        AllOption::Position(AllStreamPosition { commit_position: commit, prepare_position: prepare })
            if prepare > commit =>
        {
            Err(format!("the prepare position {prepare} must not be larger than the commit position {commit}"))
        }
        AllOption::Position(position) => Ok(at(position.commit_position)),
    }
}

fn filter(option: Option<FilterOption>) -> Result<Option<FilterText>, Status> {
    let Some(FilterOption::Filter(filter)) = option else { return Ok(None) };
    let (on_event_type, expression) = match filter.filter.ok_or_else(|| refusal::missing("Filter"))? {
        Filter::StreamIdentifier(expression) => (false, expression),
        Filter::EventType(expression) => (true, expression),
    };
    let text = FilterText { on_event_type, regex: expression.regex, prefixes: expression.prefix };
    text.filter().map_err(|error| refusal::invalid(format!("The filter's expression cannot be used: {error}")))?;
    Ok(Some(text))
}

fn settings(wire: &wire::Settings, named_consumer_strategy: Strategy) -> Result<Settings, Status> {
    let message_timeout = match wire.message_timeout {
        Some(MessageTimeout::MessageTimeoutTicks(ticks)) => ticks / TICKS_PER_MILLISECOND,
        Some(MessageTimeout::MessageTimeoutMs(milliseconds)) => milliseconds.into(),
        None => 0,
    };
    let check_point_after = match wire.checkpoint_after {
        Some(CheckpointAfter::CheckpointAfterTicks(ticks)) => ticks / TICKS_PER_MILLISECOND,
        Some(CheckpointAfter::CheckpointAfterMs(milliseconds)) => milliseconds.into(),
        None => 0,
    };
    Ok(Settings {
        resolve_link_tos: wire.resolve_links,
        extra_statistics: wire.extra_statistics,
        message_timeout: not_negative("MessageTimeout", message_timeout)?,
        max_retry_count: not_negative("MaxRetryCount", wire.max_retry_count.into())?,
        check_point_after: not_negative("CheckpointAfter", check_point_after)?,
        min_check_point_count: not_negative("MinCheckpointCount", wire.min_checkpoint_count.into())?,
        max_check_point_count: not_negative("MaxCheckpointCount", wire.max_checkpoint_count.into())?,
        max_subscriber_count: not_negative("MaxSubscriberCount", wire.max_subscriber_count.into())?,
        live_buffer_size: not_negative("LiveBufferSize", wire.live_buffer_size.into())?,
        read_batch_size: not_negative("ReadBatchSize", wire.read_batch_size.into())?,
        history_buffer_size: not_negative("HistoryBufferSize", wire.history_buffer_size.into())?,
        named_consumer_strategy,
    })
}

/// The error is the reason.
fn strategy(wire: &wire::Settings) -> Result<Strategy, String> {
    if wire.consumer_strategy.is_empty() {
        return Ok(match wire.named_consumer_strategy() {
            ConsumerStrategy::DispatchToSingle => Strategy::DispatchToSingle,
            ConsumerStrategy::RoundRobin => Strategy::RoundRobin,
            ConsumerStrategy::Pinned => Strategy::Pinned,
        });
    }
    Strategy::named(&wire.consumer_strategy)
        .ok_or_else(|| format!("Consumer strategy {} does not exist.", wire.consumer_strategy))
}

fn not_negative(name: &str, number: i64) -> Result<u32, Status> {
    if number < 0 {
        return Err(refusal::invalid(format!("{name} must not be negative.")));
    }
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}
