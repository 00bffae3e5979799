//! Notifications from the log: an order is folded up to the event that a webhook is notified of.

use bytes::Bytes;
use domain::Timestamp;
use domain::ids::OrderId;
use domain::order::{Event, Order};
use domain::webhook::{Delivery, Notification, OrderFoundLate, Settings, Topic};
use event_store::{EventStore, Position, ReadError, RecordedEvent};
use order_stream::{FoldedOrder, OrderEvent, OrderStream, StreamError, is_foreign};
use tracing::warn;

/// Makes notifications of events.
#[derive(Clone)]
pub(super) struct Notifications {
    log: EventStore,
    /// Where orders are read.
    base: String,
}

/// A notification that is to be sent.
#[derive(Debug)]
pub(super) struct Letter {
    pub delivery: Delivery,
    pub body: Bytes,
    /// When the event was decided.
    pub since: Timestamp,
}

/// An event of an order, and the order after it.
struct Moment {
    event: Event,
    revision: u64,
    after: Order,
    position: Position,
}

impl Moment {
    fn notification(&self) -> Option<Notification> {
        Notification::of(&self.event, self.revision, &self.after)
    }
}

impl Notifications {
    pub fn new(log: EventStore, base: &str) -> Self {
        Self { log, base: base.trim_end_matches('/').to_owned() }
    }

    /// The notification of an event, if a webhook with these settings gets it. The error says that
    /// the log cannot be read now.
    pub async fn of(&self, event: &RecordedEvent, settings: &Settings) -> Result<Option<Letter>, ReadError> {
        let Some(order) = OrderId::from_stream(&event.stream) else { return Ok(None) };
        let is_wanted = Topic::of_type(&event.event_type).is_some_and(|topic| settings.events.contains(&topic));
        if !is_wanted {
            return Ok(None);
        }
        let notification = self.at(&order, event.revision).await?.and_then(|moment| moment.notification());
        let notification = notification.filter(|notification| notification.is_for(settings));
        Ok(notification.and_then(|notification| self.letter(&notification, event.position)))
    }

    /// The notification of an order that was found late, which is recorded at this position.
    pub async fn of_late(&self, found: &OrderFoundLate, position: Position) -> Result<Option<Letter>, ReadError> {
        let moment = self.at(&found.order_id, found.revision).await?;
        Ok(moment.and_then(|moment| self.letter(&Notification::of_late(found, &moment.after), position)))
    }

    /// A notification again.
    pub async fn again(&self, delivery: &Delivery) -> Result<Option<Letter>, ReadError> {
        let Some(moment) = self.at(&delivery.order_id, delivery.revision).await? else { return Ok(None) };
        let notification = moment.notification().filter(|notification| notification.delivery == *delivery);
        Ok(notification.and_then(|notification| self.letter(&notification, moment.position)))
    }

    /// An order's history that cannot be folded is not worth a notification: the projector sets it
    /// aside, and reports it.
    async fn at(&self, order: &OrderId, revision: u64) -> Result<Option<Moment>, ReadError> {
        let stream = order.stream();
        let read = |from, most| self.log.read_stream(&stream, from, most);
        let mut events = OrderStream::new(read).before(revision + 1);
        let mut folded: Option<FoldedOrder> = None;
        loop {
            let OrderEvent { recorded, decoded } = match events.next().await {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(None),
                Err(StreamError::Log(error @ ReadError::Unavailable(_))) => return Err(error),
                Err(StreamError::Log(error)) => return Ok(unreadable(order, &error)),
                Err(StreamError::Order(fault)) => return Ok(unreadable(order, &fault)),
            };
            if is_foreign(&recorded) {
                return Ok(None);
            }
            let after = match FoldedOrder::after(folded.take().map(|folded| folded.state), &recorded, &decoded) {
                Ok(after) => after,
                Err(fault) => return Ok(unreadable(order, &fault)),
            };
            if recorded.revision == revision {
                let (event, position) = (decoded.event, recorded.position);
                return Ok(Some(Moment { event, revision, after: after.state, position }));
            }
            folded = Some(after);
        }
    }

    fn letter(&self, notification: &Notification, position: Position) -> Option<Letter> {
        match notification.payload(position.commit, &self.base) {
            Ok(body) => Some(Letter {
                delivery: notification.delivery.clone(),
                body: Bytes::from(body),
                since: notification.at,
            }),
            Err(error) => unreadable(&notification.delivery.order_id, &error),
        }
    }
}

fn unreadable<T>(order: &OrderId, reason: &dyn std::fmt::Display) -> Option<T> {
    warn!(%order, %reason, "webhooks are not notified of an event of an order that cannot be read");
    None
}
