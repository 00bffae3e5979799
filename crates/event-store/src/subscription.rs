//! A catch-up subscription that survives its connection.
//!
//! One task reads from the server and remembers the last position that it delivered. When the
//! connection breaks, it subscribes again after that position, so that the reader receives every
//! event once and in order. It runs for as long as the [`Subscription`] lives. The buffer between
//! the two is bounded: a slow reader slows the task, the task stops reading, and flow control slows
//! the server.

use std::sync::Arc;

use event_store_protocol::streams::ReadResp;
use event_store_protocol::streams::read_resp::Content;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::warn;

use super::connection::{Connection, Retry, in_time};
use super::convert;
use super::fault::Fault;
use super::in_process::{Following, InProcess};
use super::types::{Filter, Position, SubscriptionItem};

/// Items that may wait for the reader.
const BUFFER: usize = 256;

/// The events of `$all` in order, first the old ones and then the new ones. Ends when dropped.
pub struct Subscription(Source);

enum Source {
    Wire(Received),
    InProcess(Box<Following>),
}

/// The receiving side of the task that reads from the server.
struct Received {
    items: mpsc::Receiver<SubscriptionItem>,
    task: JoinHandle<()>,
}

impl Subscription {
    pub(super) fn start(connection: Arc<Connection>, filter: Filter, after: Option<Position>) -> Self {
        let (sender, items) = mpsc::channel(BUFFER);
        let follower = Follower { connection, filter, after, items: sender, broke: false };
        Self(Source::Wire(Received { items, task: tokio::spawn(follower.follow()) }))
    }

    pub(super) fn in_process(server: Arc<dyn InProcess>, filter: &Filter, after: Option<Position>) -> Self {
        Self(Source::InProcess(Box::new(Following::start(server, filter, after))))
    }

    /// Waits for the next item. May be dropped while waiting: no item is lost.
    pub async fn next(&mut self) -> SubscriptionItem {
        match &mut self.0 {
            Source::InProcess(following) => following.next().await,
            Source::Wire(received) => match received.items.recv().await {
                Some(item) => item,
                // The task ends only with the runtime, and then no reader is left.
                None => std::future::pending().await,
            },
        }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The reader was dropped.
struct Gone;

struct Follower {
    connection: Arc<Connection>,
    filter: Filter,
    after: Option<Position>,
    items: mpsc::Sender<SubscriptionItem>,
    /// The connection broke after the last item.
    broke: bool,
}

impl Follower {
    async fn follow(mut self) {
        let mut retry = Retry::new();
        let mut refused = None;
        loop {
            let before = self.after;
            match self.follow_one_connection().await {
                Err(Gone) => return,
                // The connection has logged the outage already.
                Ok(fault) if fault.is_unavailable() => refused = None,
                // A repeated refusal is logged once.
                Ok(fault) if refused.as_ref() == Some(&fault) => {}
                Ok(fault) => {
                    warn!("the log refuses the subscription to $all; subscribing again: {fault}");
                    refused = Some(fault);
                }
            }
            self.broke = true;
            if self.after != before {
                retry = Retry::new();
            }
            retry.pause_once().await;
        }
    }

    /// Delivers the items of one connection, and returns why the connection ended.
    async fn follow_one_connection(&mut self) -> Result<Fault, Gone> {
        let built = match in_time(self.connection.link()).await {
            Ok(built) => built,
            Err(fault) => return Ok(fault),
        };
        let request = convert::subscribe_all(self.after, &self.filter);
        let fault = 'broken: {
            let mut reading = match in_time(built.read(request)).await {
                Ok(reading) => reading,
                Err(fault) => break 'broken fault,
            };
            // The server confirms a subscription before anything else. The wait for later messages
            // has no limit.
            let mut next = in_time(reading.next()).await;
            loop {
                match next {
                    Ok(Some(message)) => self.hand_on(message).await?,
                    Ok(None) => break 'broken Fault::broken("the server ended the subscription"),
                    Err(fault) => break 'broken fault,
                }
                next = reading.next().await;
            }
        };
        self.connection.observe(&built, &fault);
        Ok(fault)
    }

    async fn hand_on(&mut self, message: ReadResp) -> Result<(), Gone> {
        if std::mem::take(&mut self.broke) {
            self.items.send(SubscriptionItem::Resumed).await.map_err(|_| Gone)?;
        }
        let item = match message.content {
            Some(Content::Event(event)) => {
                let Some(event) = convert::recorded(event) else { return Ok(()) };
                self.after = Some(event.position);
                SubscriptionItem::Event(event)
            }
            Some(Content::Checkpoint(position)) => {
                let position = convert::position(&position);
                // After a reconnection the server may repeat a checkpoint. The reader's position
                // never decreases.
                if self.after >= Some(position) {
                    return Ok(());
                }
                self.after = Some(position);
                SubscriptionItem::Checkpoint(position)
            }
            Some(Content::CaughtUp(_)) => SubscriptionItem::CaughtUp,
            // The confirmation, or the notice that the reader fell behind: the reader needs
            // neither.
            _ => return Ok(()),
        };
        self.items.send(item).await.map_err(|_| Gone)
    }
}
