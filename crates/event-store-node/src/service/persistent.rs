//! The `PersistentSubscriptions` service: which function answers which call. A consumer's events
//! and answers are in [`super::consume`].

use event_store_protocol::persistent::persistent_subscriptions_server::PersistentSubscriptions;
use event_store_protocol::persistent::replay_parked_req::options::StopAtOption;
use event_store_protocol::persistent::{
    CreateReq, CreateResp, DeleteReq, DeleteResp, GetInfoReq, GetInfoResp, ListReq, ListResp, ReadReq, ReadResp,
    ReplayParkedReq, ReplayParkedResp, SubscriptionInfo, UpdateReq, UpdateResp, delete_req, get_info_req, list_req,
    replay_parked_req,
    subscription_info::{ConnectionInfo, Measurement},
};
use event_store_protocol::shared::Empty;
use tonic::{Request, Response, Status, Streaming};

use super::answers::Answers;
use super::persistent_settings::{changed, group_key, made};
use super::{consume, convert, refusal};
use crate::access::caller::Caller;
use crate::access::rights::Rights;
use crate::persistent::consumer::ConsumerName;
use crate::persistent::engine::{Command, Description};
use crate::persistent::measure::Measured;
use crate::persistent::settings::{ALL, Entry, GroupKey, Start};
use crate::persistent::{self, Groups, Refusal};
use crate::read_write_error::ReadWriteError;
use crate::reader::Reader;

/// How many characters of a consumer's own name are kept.
const MAX_CONNECTION_NAME: usize = 256;

pub(crate) struct PersistentService {
    pub(crate) groups: Groups,
    pub(crate) reader: Reader,
}

#[tonic::async_trait]
impl PersistentSubscriptions for PersistentService {
    type ReadStream = Answers<ReadResp>;

    async fn create(&self, request: Request<CreateReq>) -> Result<Response<CreateResp>, Status> {
        let (key, settings, start, filter) = made(request.into_inner())?;
        let made = self.groups.create(key.clone(), settings, start, filter).await;
        answered(&key, made).map(|()| Response::new(CreateResp {}))
    }

    async fn update(&self, request: Request<UpdateReq>) -> Result<Response<UpdateResp>, Status> {
        let (key, settings, start) = changed(request.into_inner())?;
        let changed = self.groups.update(&key, settings, start).await;
        answered(&key, changed).map(|()| Response::new(UpdateResp {}))
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        use delete_req::options::StreamOption;
        let options = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        let key = group_key(
            options.group_name,
            |stream| match stream {
                StreamOption::StreamIdentifier(stream) => Some(stream),
                StreamOption::All(_) => None,
            },
            options.stream_option,
        )?;
        answered(&key, self.groups.delete(&key).await).map(|()| Response::new(DeleteResp {}))
    }

    async fn read(&self, request: Request<Streaming<ReadReq>>) -> Result<Response<Self::ReadStream>, Status> {
        let from = request.remote_addr().map_or_else(String::new, |address| address.to_string());
        let name = request.metadata().get("connection-name").and_then(|name| name.to_str().ok());
        let name = name.map_or_else(String::new, |name| name.chars().take(MAX_CONNECTION_NAME).collect());
        let rights = Rights::new(Caller::of(&request), self.reader.clone());
        let who = ConsumerName { from, name };
        consume::consume(&self.groups, &rights, who, request.into_inner()).await.map(Response::new)
    }

    async fn get_info(&self, request: Request<GetInfoReq>) -> Result<Response<GetInfoResp>, Status> {
        use get_info_req::options::StreamOption;
        let options = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        let key = group_key(
            options.group_name,
            |stream| match stream {
                StreamOption::StreamIdentifier(stream) => Some(stream),
                StreamOption::All(_) => None,
            },
            options.stream_option,
        )?;
        let handle = self.groups.find(&key).await.ok_or_else(|| no_group(&key))?;
        let description = persistent::describe(&handle).await.ok_or_else(|| no_group(&key))?;
        Ok(Response::new(GetInfoResp { subscription_info: Some(self.info(description)) }))
    }

    async fn replay_parked(&self, request: Request<ReplayParkedReq>) -> Result<Response<ReplayParkedResp>, Status> {
        use replay_parked_req::options::StreamOption;
        let options = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        let key = group_key(
            options.group_name,
            |stream| match stream {
                StreamOption::StreamIdentifier(stream) => Some(stream),
                StreamOption::All(_) => None,
            },
            options.stream_option,
        )?;
        let most = match options.stop_at_option {
            Some(StopAtOption::StopAt(most)) => {
                Some(u64::try_from(most).map_err(|_| refusal::invalid("StopAt must not be negative."))?)
            }
            Some(StopAtOption::NoLimit(_)) | None => None,
        };
        let handle = self.groups.find(&key).await.ok_or_else(|| no_group(&key))?;
        let (answer, begun) = tokio::sync::oneshot::channel();
        let asked = handle.send(Command::Replay { most, answer }).await;
        if asked.is_err() || begun.await.is_err() {
            return Err(no_group(&key));
        }
        Ok(Response::new(ReplayParkedResp {}))
    }

    async fn list(&self, request: Request<ListReq>) -> Result<Response<ListResp>, Status> {
        use list_req::options::ListOption;
        use list_req::stream_option::StreamOption;
        let options = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        let source = match options.list_option.ok_or_else(|| refusal::missing("ListOption"))? {
            ListOption::ListAllSubscriptions(_) => None,
            ListOption::ListForStream(stream) => match stream.stream_option {
                Some(StreamOption::Stream(stream)) => Some(convert::stream_name(Some(stream))?),
                Some(StreamOption::All(_)) => Some(ALL.to_owned()),
                None => return Err(refusal::missing("StreamOption")),
            },
        };
        let descriptions = self.groups.describe(source.as_deref()).await;
        match source {
            Some(source) if descriptions.is_empty() => Err(no_group(&GroupKey { source, group: String::new() })),
            _ => {
                let subscriptions = descriptions.into_iter().map(|description| self.info(description)).collect();
                Ok(Response::new(ListResp { subscriptions }))
            }
        }
    }

    async fn restart_subsystem(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.groups.restart().await.map_err(refusal::read_write_error)?;
        Ok(Response::new(Empty {}))
    }
}

fn answered(key: &GroupKey, outcome: Result<Result<(), Refusal>, ReadWriteError>) -> Result<(), Status> {
    outcome.map_err(refusal::read_write_error)?.map_err(|refused| match refused {
        Refusal::Exists => refusal::group_exists(&key.source, &key.group),
        Refusal::DoesNotExist => no_group(key),
        Refusal::Start(reason) => refusal::group_failed(&key.source, &key.group, &reason),
    })
}

fn no_group(key: &GroupKey) -> Status {
    refusal::group_does_not_exist(&key.source, &key.group)
}

impl PersistentService {
    fn info(&self, description: Description) -> SubscriptionInfo {
        let status = status_of(&description);
        let Description {
            entry, consumers, measured, checkpoint, last_read, waiting, to_retry, in_flight, parked, ..
        } = description;
        let last_known = if entry.key.reads_all() {
            let head = self.reader.head();
            Some(format!("C:{head}/P:{head}"))
        } else {
            last_read
        };
        let start_from = start_name(&entry);
        let settings = entry.settings;
        SubscriptionInfo {
            event_source: entry.key.source,
            group_name: entry.key.group,
            status: status.into(),
            connections: consumers
                .into_iter()
                .map(|consumer| ConnectionInfo {
                    from: consumer.from,
                    connection_name: consumer.name,
                    // A server without access control reports every caller as this user.
                    username: "system".into(),
                    average_items_per_second: small(consumer.measured.per_second),
                    total_items: number(consumer.measured.total),
                    count_since_last_measurement: number(consumer.measured.since_last_look),
                    observed_measurements: measurements(consumer.measured),
                    available_slots: small(consumer.free_slots),
                    in_flight_messages: small(consumer.in_flight),
                })
                .collect(),
            average_per_second: small(measured.per_second),
            total_items: number(measured.total),
            count_since_last_measurement: number(measured.since_last_look),
            last_checkpointed_event_position: checkpoint.unwrap_or_default(),
            last_known_event_position: last_known.unwrap_or_default(),
            resolve_link_tos: settings.resolve_link_tos,
            start_from,
            message_timeout_milliseconds: small(settings.message_timeout),
            extra_statistics: settings.extra_statistics,
            max_retry_count: small(settings.max_retry_count),
            live_buffer_size: small(settings.live_buffer_size),
            buffer_size: small(settings.history_buffer_size),
            read_batch_size: small(settings.read_batch_size),
            check_point_after_milliseconds: small(settings.check_point_after),
            min_check_point_count: small(settings.min_check_point_count),
            max_check_point_count: small(settings.max_check_point_count),
            read_buffer_count: small(waiting),
            live_buffer_count: 0,
            retry_buffer_count: small(to_retry),
            total_in_flight_messages: small(in_flight),
            outstanding_messages_count: small(in_flight),
            named_consumer_strategy: settings.named_consumer_strategy.name().into(),
            max_subscriber_count: small(settings.max_subscriber_count),
            parked_message_count: number(parked),
        }
    }
}

fn status_of(description: &Description) -> &'static str {
    match (description.is_live, description.is_replaying) {
        (true, false) => "Live",
        (true, true) => "ReplayingParkedMessages, Live",
        (false, false) => "Behind",
        (false, true) => "Behind, ReplayingParkedMessages",
    }
}

fn measurements(measured: Measured) -> Vec<Measurement> {
    let measurement = |(key, value): (&'static str, u64)| Measurement { key: key.into(), value: number(value) };
    measured.answers.into_iter().map(measurement).collect()
}

fn start_name(entry: &Entry) -> String {
    let place = match entry.start {
        Start::Beginning => "0".to_owned(),
        Start::End => "-1".to_owned(),
        Start::At(place) => place.to_string(),
    };
    if entry.key.reads_all() { format!("C:{place}/P:{place}") } else { place }
}

fn small(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
