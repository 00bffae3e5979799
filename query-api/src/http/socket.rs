//! One connection of GraphQL over WebSocket: the messages of its client, and the answers of its
//! operations as they arrive.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures::StreamExt;
use futures::stream::{self, AbortHandle, BoxStream, SelectAll};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use super::asker::Asker;
use super::endpoint::Endpoint;
use super::media::Wanted;
use super::protocol::{self, ClientMessage, Close, ServerMessage};
use super::request::from_value;
use super::respond::{later, to_json};
use super::run::{Answered, is_request_error};
use crate::live::Counted;

/// How often the server sends a ping, and how many of them a client may leave unanswered.
const BEAT: Duration = Duration::from_secs(20);
const SILENT_BEATS: u32 = 2;
/// How long a close may take to be answered.
const CLOSING: Duration = Duration::from_secs(1);
/// Operations of one connection at once.
const MAX_OPERATIONS: usize = 100;
/// How many bytes may wait to be sent. One more answer, whatever its size, may be added.
const WRITE_BUFFER: usize = 32 * 1024;

/// Begins a connection, if there is room for it.
pub fn open(endpoint: Arc<Endpoint>, upgrade: WebSocketUpgrade, asker: Asker) -> Response {
    let Ok(place) = endpoint.places.clone().try_acquire_owned() else {
        return later(Wanted::Json, "this instance has as many connections as it takes");
    };
    let upgrade = upgrade
        .protocols([protocol::NAME])
        .read_buffer_size(8 * 1024)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(endpoint.max_body_bytes)
        .max_frame_size(endpoint.max_body_bytes);
    let acceptable = upgrade.selected_protocol().is_some();
    upgrade.on_upgrade(move |socket| async move {
        let counted = endpoint.stats.connection();
        let connection =
            Connection { endpoint, asker, socket, counted, operations: Operations::default(), acknowledged: false };
        let close =
            if acceptable { connection.serve().await } else { connection.end(Close::SubprotocolNotAcceptable).await };
        tracing::debug!(?close, "a WebSocket has ended");
        drop(place);
    })
}

struct Connection {
    endpoint: Arc<Endpoint>,
    asker: Asker,
    socket: WebSocket,
    counted: Counted,
    operations: Operations,
    acknowledged: bool,
}

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// The client has left, or does not answer.
    Gone,
    /// The client does not read what the server sends.
    TooSlow,
    Close(Close),
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

impl Connection {
    async fn serve(mut self) -> End {
        let end = match self.run().await {
            Ok(()) => End::Gone,
            Err(end) => end,
        };
        match end {
            End::Close(close) => self.end(close).await,
            End::TooSlow => {
                self.counted.lets_go();
                end
            }
            End::Gone => end,
        }
    }

    /// Sends the reason, and closes.
    async fn end(mut self, close: Close) -> End {
        let frame = CloseFrame { code: close.code(), reason: close.reason().into() };
        let _ = timeout(self.endpoint.taking, self.socket.send(Message::Close(Some(frame)))).await;
        // So that the client has read the reason before the connection is gone.
        self.close_is_answered().await;
        End::Close(close)
    }

    /// Waits for the client's answer to a close, or until the own answer is sent. Reading does
    /// both.
    async fn close_is_answered(&mut self) {
        let closed = async { while let Some(Ok(_)) = self.socket.recv().await {} };
        let _ = timeout(CLOSING, closed).await;
    }

    async fn run(&mut self) -> Result<(), End> {
        let leaving = self.endpoint.leaving.clone();
        let mut refused = Box::pin(self.asker.clone().leaves());
        let begin_by = Instant::now() + self.endpoint.beginning;
        let mut beats = interval_at(Instant::now() + BEAT, BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silent = 0;
        loop {
            tokio::select! {
                () = leaving.cancelled() => return Err(Close::Leaving.into()),
                () = &mut refused => return Err(Close::Forbidden.into()),
                () = sleep_until(begin_by), if !self.acknowledged => return Err(Close::InitialisationTimeout.into()),
                _ = beats.tick() => {
                    silent += 1;
                    if silent > SILENT_BEATS {
                        return Err(End::Gone);
                    }
                    self.send(Message::Ping(Vec::new().into())).await?;
                }
                message = self.socket.recv() => {
                    silent = 0;
                    match message {
                        Some(Ok(Message::Text(text))) => self.receive(&text).await?,
                        Some(Ok(Message::Binary(_))) => {
                            return Err(Close::InvalidMessage("it must be text".to_owned()).into());
                        }
                        // WebSocket's own pings are answered by the socket.
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Close(_))) => {
                            self.close_is_answered().await;
                            return Ok(());
                        }
                        Some(Err(_)) | None => return Ok(()),
                    }
                }
                Some((id, answer)) = self.operations.next() => self.pass_on(id, answer).await?,
            }
        }
    }

    async fn receive(&mut self, text: &str) -> Result<(), End> {
        match protocol::read(text)? {
            ClientMessage::ConnectionInit { .. } if self.acknowledged => Err(Close::TooManyInitialisations.into()),
            ClientMessage::ConnectionInit { .. } => {
                self.acknowledged = true;
                self.write_small(ServerMessage::ConnectionAck).await
            }
            ClientMessage::Ping { payload } => self.write_small(ServerMessage::Pong { payload }).await,
            ClientMessage::Pong { .. } => Ok(()),
            ClientMessage::Subscribe { .. } if !self.acknowledged => Err(Close::Unauthorized.into()),
            ClientMessage::Subscribe { id, payload } => {
                let request = from_value(payload).map_err(|error| Close::InvalidMessage(error.to_string()))?;
                Ok(self.operations.begin(id, self.endpoint.clone().answers(request, self.asker.clone()))?)
            }
            ClientMessage::Complete { id } => {
                self.operations.stop(&id);
                Ok(())
            }
        }
    }

    async fn pass_on(&mut self, id: String, answered: Option<Answered>) -> Result<(), End> {
        // The share is kept until the message is sent.
        let Some(Answered { answer, is_large, share: _share }) = answered else {
            // Its client has stopped it, or it has ended.
            return if self.operations.stop(&id) {
                self.write_small(ServerMessage::Complete { id }).await
            } else {
                Ok(())
            };
        };
        if is_request_error(&answer) && self.operations.stop(&id) {
            self.write_small(ServerMessage::Error { id, payload: answer.errors }).await
        } else if self.operations.has(&id) {
            self.write(is_large, ServerMessage::Next { id, payload: answer }).await
        } else {
            Ok(())
        }
    }

    async fn write_small(&mut self, message: ServerMessage) -> Result<(), End> {
        self.write(false, message).await
    }

    async fn write(&mut self, is_large: bool, message: ServerMessage) -> Result<(), End> {
        let text = to_json(is_large, message).await.ok_or(End::Gone)?;
        self.send(Message::Text(text.into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(self.endpoint.taking, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::TooSlow),
        }
    }
}

/// The operations of a connection that are under way.
#[derive(Default)]
struct Operations {
    answers: SelectAll<BoxStream<'static, (String, Option<Answered>)>>,
    running: HashMap<String, AbortHandle>,
}

impl Operations {
    fn begin(&mut self, id: String, answers: BoxStream<'static, Answered>) -> Result<(), Close> {
        if self.running.contains_key(&id) {
            return Err(Close::SubscriberExists(id));
        }
        if self.running.len() >= MAX_OPERATIONS {
            return Err(Close::TooManyOperations(MAX_OPERATIONS));
        }
        let (answers, handle) = stream::abortable(answers.map(Some).chain(stream::iter([None])));
        self.running.insert(id.clone(), handle);
        self.answers.push(answers.map(move |answer| (id.clone(), answer)).boxed());
        Ok(())
    }

    fn has(&self, id: &str) -> bool {
        self.running.contains_key(id)
    }

    /// Ends an operation. Returns whether it existed.
    fn stop(&mut self, id: &str) -> bool {
        self.running.remove(id).map(|handle| handle.abort()).is_some()
    }

    /// The next answer of any operation; `None`: the operation has ended.
    async fn next(&mut self) -> Option<(String, Option<Answered>)> {
        self.answers.next().await
    }
}
