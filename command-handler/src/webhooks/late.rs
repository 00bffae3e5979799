//! Late orders. No event of an order says that it is late, so the instance that delivers records
//! it in the webhook's stream. The notification follows from that event, in its place in the log.

use domain::webhook::{Delivery, Event, OrderFoundLate, Settings, Topic, WebhookId};
use domain::wire::webhooks::decode_webhook;
use event_store::RecordedEvent;
use views::late_orders::{self, LateOrder};

use super::common::{Common, Interruption};
use super::notifications::Letter;
use crate::clock::{Clock, SystemClock};

/// The most orders that are recorded at once.
const MOST: usize = 100;

/// Records the orders that have become late, each once.
pub(super) async fn record(common: &Common, webhook: WebhookId) -> Result<(), Interruption> {
    let late = late_orders::unnoticed(&mut *common.leading.lock().await, webhook, MOST).await?;
    for LateOrder { order_id, revision, expected_at } in late {
        // What is expected follows from the order's last event, and the views may be behind it.
        if !common.log.read_stream(&order_id.stream(), revision + 1, 1).await?.is_empty() {
            continue;
        }
        let found = OrderFoundLate { order_id: order_id.clone(), revision, expected_at, at: SystemClock.now().at };
        common.registry.record(webhook, &Event::OrderFoundLate(found)).await?;
        late_orders::notice(&mut *common.leading.lock().await, webhook, &order_id).await?;
    }
    Ok(())
}

/// The notification that follows from an event of the webhook itself, if it is notified of late
/// orders.
pub(super) async fn letter(
    common: &Common,
    event: &RecordedEvent,
    settings: &Settings,
) -> Result<Option<Letter>, Interruption> {
    // What cannot be read is set aside by the projector, which reports it.
    let decoded = decode_webhook(&event.event_type, &event.data, &event.metadata);
    let Ok(Event::OrderFoundLate(found)) = decoded else { return Ok(None) };
    if !settings.events.contains(&Topic::Late) {
        return Ok(None);
    }
    Ok(common.notifications.of_late(&found, event.position).await?)
}

/// A notification of any kind again.
pub(super) async fn again(
    common: &Common,
    webhook: WebhookId,
    delivery: &Delivery,
) -> Result<Option<Letter>, Interruption> {
    if delivery.topic != Topic::Late {
        return Ok(common.notifications.again(delivery).await?);
    }
    match common.registry.found_late(webhook, delivery).await? {
        Some((found, position)) => Ok(common.notifications.of_late(&found, position).await?),
        None => Ok(None),
    }
}
