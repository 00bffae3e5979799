//! One consumer of a group: the events that it gets, and its answers.
//!
//! Both directions are one stream of steps. While the consumer does not read its messages, its
//! answers are not read either. It never has more events than it asked for, so it has to read them
//! before it can answer more.

use event_store_protocol::persistent::read_req::nack::Action;
use event_store_protocol::persistent::read_req::options::StreamOption;
use event_store_protocol::persistent::read_req::{Content, Options};
use event_store_protocol::persistent::read_resp::{Content as Sent, ReadEvent, SubscriptionConfirmation, read_event};
use event_store_protocol::persistent::{ReadReq, ReadResp};
use event_store_protocol::shared;
use futures::{StreamExt, stream};
use tokio::sync::oneshot;
use tonic::{Status, Streaming};
use uuid::Uuid;

use super::answers::Answers;
use super::convert::{self, IdForm};
use super::persistent_settings::group_key;
use super::refusal;
use crate::access::acl;
use crate::access::rights::Rights;
use crate::persistent::Groups;
use crate::persistent::consumer::{ConsumerId, ConsumerName};
use crate::persistent::engine::{Command, Connected, Events, Handle};
use crate::persistent::group::Nack;
use crate::persistent::message::Message;
use crate::persistent::settings::GroupKey;

pub(super) async fn consume(
    groups: &Groups,
    rights: &Rights,
    who: ConsumerName,
    mut requests: Streaming<ReadReq>,
) -> Result<Answers<ReadResp>, Status> {
    let Some(Content::Options(options)) = requests.message().await?.and_then(|request| request.content) else {
        return Err(refusal::missing("Options"));
    };
    let Options { stream_option, group_name, buffer_size, uuid_option } = options;
    let key = group_key(
        group_name,
        |stream| match stream {
            StreamOption::StreamIdentifier(stream) => Some(stream),
            StreamOption::All(_) => None,
        },
        stream_option,
    )?;
    rights.to(acl::Action::Read, &key.source).await?;
    let ids = IdForm::from_wire(uuid_option.and_then(|option| option.content))?;
    let slots = usize::try_from(buffer_size).ok().filter(|slots| *slots > 0);
    let slots = slots.ok_or_else(|| refusal::invalid("BufferSize must be positive."))?;

    let no_group = || refusal::group_does_not_exist(&key.source, &key.group);
    let handle = groups.find(&key).await.ok_or_else(no_group)?;
    let (answer, connected) = oneshot::channel();
    handle.send(Command::Connect { who, slots, answer }).await.map_err(|_| no_group())?;
    let connected = connected.await.map_err(|_| no_group())?;
    let Connected { id, events } = connected.ok_or_else(|| refusal::too_many_consumers(&key.source, &key.group))?;

    let confirmation = SubscriptionConfirmation { subscription_id: format!("{}::{}", key.source, key.group) };
    let session = Session { key, handle, ids, requests: Some(requests), id, events };
    let confirmed = stream::once(async { Ok(response(Sent::SubscriptionConfirmation(confirmation))) });
    Ok(confirmed.chain(stream::try_unfold(session, Session::next)).boxed())
}

struct Session {
    key: GroupKey,
    handle: Handle,
    ids: IdForm,
    /// `None` after the client's last request.
    requests: Option<Streaming<ReadReq>>,
    id: ConsumerId,
    events: Events,
}

impl Session {
    async fn next(mut self) -> Result<Option<(ReadResp, Self)>, Status> {
        loop {
            let request = async {
                match &mut self.requests {
                    Some(requests) => requests.message().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.events.next() => {
                    let Some(message) = event else { return Err(self.dropped()) };
                    let sent = sent(&message, self.ids);
                    return Ok(Some((sent, self)));
                }
                request = request => match request? {
                    Some(request) => self.take(request).await?,
                    // As on any server, a client that closes its side has left.
                    None => return Ok(None),
                },
            }
        }
    }

    async fn take(&mut self, request: ReadReq) -> Result<(), Status> {
        let consumer = self.id;
        let command = match request.content {
            Some(Content::Ack(ack)) => Command::Acknowledge { consumer, ids: uuids(ack.ids)? },
            Some(Content::Nack(nack)) => {
                let action = nack.action();
                let ids = uuids(nack.ids)?;
                let wanted = match action {
                    Action::Retry | Action::Unknown => Nack::Retry,
                    Action::Park => Nack::Park,
                    Action::Skip => Nack::Skip,
                    // A server does not treat this as an answer, and disconnects no one: the
                    // consumer itself stops. Its events are delivered again after their time limit,
                    // or when the consumer has left.
                    Action::Stop => return Ok(()),
                };
                Command::Refuse { consumer, ids, nack: wanted, reason: nack.reason }
            }
            Some(Content::Options(_)) | None => return Err(refusal::invalid("An ack or a nack was expected.")),
        };
        self.handle.send(command).await.map_err(|_| self.dropped())
    }

    fn dropped(&self) -> Status {
        refusal::group_dropped(&self.key.source, &self.key.group)
    }
}

fn uuids(wire: Vec<shared::Uuid>) -> Result<Vec<Uuid>, Status> {
    wire.into_iter().map(|id| convert::uuid(Some(id))).collect()
}

fn sent(message: &Message, ids: IdForm) -> ReadResp {
    let (event, link, position) = convert::resolved(&message.event, ids);
    let retries = i32::try_from(message.retries).unwrap_or(i32::MAX);
    response(Sent::Event(ReadEvent {
        event,
        link,
        position: position.map(read_event::Position::CommitPosition),
        count: Some(read_event::Count::RetryCount(retries)),
    }))
}

fn response(content: Sent) -> ReadResp {
    ReadResp { content: Some(content) }
}
