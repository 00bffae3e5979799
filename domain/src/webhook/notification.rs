//! What an event of an order means for webhooks.

use serde::Serialize;
use uuid::Uuid;

use super::{Delivery, OrderFoundLate, Settings, Topic, WebhookId};
use crate::Timestamp;
use crate::order::{Event, Mode, Order};

/// The type of the notification that only tries an endpoint.
pub const TEST_TYPE: &str = "webhook.test";

/// A notification: the order after one of its events. It has no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Which it is.
    pub delivery: Delivery,
    /// When the event was decided; when an order was found late.
    pub at: Timestamp,
    workflow: String,
    version: u32,
    customer_id: String,
    placed_by: Option<String>,
    status: String,
    state: &'static str,
    /// The step that is stuck, or that waits for a person.
    step: Option<String>,
    /// When a late order was expected to end.
    expected_at: Option<Timestamp>,
}

/// The body of a notification, as Standard Webhooks recommends it.
#[derive(Serialize)]
struct Payload<'a, D> {
    #[serde(rename = "type")]
    topic: &'a str,
    timestamp: Timestamp,
    data: D,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    order_id: &'a str,
    workflow: &'a str,
    version: u32,
    status: &'a str,
    state: &'a str,
    revision: u64,
    /// A decimal number, as text: it may exceed what a JSON reader keeps exactly.
    position: String,
    customer_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_at: Option<Timestamp>,
    url: String,
}

impl Topic {
    /// What webhooks may be notified of by an event of this name in the log; [`Self::of`] decides.
    pub fn of_type(name: &str) -> Option<Self> {
        match name {
            "OrderPlaced" => Some(Self::Placed),
            "StatusChanged" => Some(Self::StatusChanged),
            "OrderCompleted" | "OrderCanceled" => Some(Self::Ended),
            "OrderStuck" => Some(Self::Stuck),
            "WaitStarted" => Some(Self::ApprovalWanted),
            _ => None,
        }
    }

    /// What webhooks are notified of by an event of an order, if they are.
    pub fn of(event: &Event) -> Option<Self> {
        match event {
            Event::OrderPlaced(_) => Some(Self::Placed),
            Event::StatusChanged(_) => Some(Self::StatusChanged),
            Event::OrderCompleted(_) | Event::OrderCanceled(_) => Some(Self::Ended),
            Event::OrderStuck(_) => Some(Self::Stuck),
            Event::WaitStarted(wait) => (wait.mode == Mode::Await).then_some(Self::ApprovalWanted),
            Event::StepStarted(_)
            | Event::StepAccepted(_)
            | Event::StepCompleted(_)
            | Event::StepAttemptFailed(_)
            | Event::StepFailed(_)
            | Event::StepSkipped(_)
            | Event::OrderNoted(_)
            | Event::OperationRequested(_)
            | Event::RequestSettled(_)
            | Event::OrderPaused(_)
            | Event::OrderResumed(_)
            | Event::CompensationStarted(_)
            | Event::CompensationCompleted(_)
            | Event::DecisionSplit(_) => None,
        }
    }
}

impl Notification {
    /// The notification of an event at this revision of an order, which is then in this state.
    pub fn of(event: &Event, revision: u64, after: &Order) -> Option<Self> {
        let topic = Topic::of(event)?;
        let names_its_step = matches!(topic, Topic::Stuck | Topic::ApprovalWanted);
        let delivery = Delivery { order_id: after.placed.order_id.clone(), revision, topic };
        let step = event.step().filter(|_| names_its_step).cloned();
        Some(Self { step, ..Self::about(after, delivery, event.at()) })
    }

    /// The notification of an order that was found late, which is in this state since its last
    /// event.
    pub fn of_late(found: &OrderFoundLate, after: &Order) -> Self {
        Self { expected_at: Some(found.expected_at), ..Self::about(after, found.delivery(), found.at) }
    }

    fn about(order: &Order, delivery: Delivery, at: Timestamp) -> Self {
        let placed = &order.placed;
        Self {
            delivery,
            at,
            workflow: placed.workflow.name.clone(),
            version: placed.workflow.version,
            customer_id: placed.customer_id.clone(),
            placed_by: placed.placed_by.clone(),
            status: order.status.clone(),
            state: order.state().as_str(),
            step: None,
            expected_at: None,
        }
    }

    /// Whether a webhook with these settings gets it.
    pub fn is_for(&self, settings: &Settings) -> bool {
        let matches = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        settings.events.contains(&self.delivery.topic)
            && matches(&settings.workflow, Some(&self.workflow))
            && matches(&settings.placed_by, self.placed_by.as_deref())
    }

    /// The body. `position` is that of the event in the log, or of what found the order late.
    /// Orders are read at `base`.
    pub fn payload(&self, position: u64, base: &str) -> Result<Vec<u8>, serde_json::Error> {
        let Delivery { order_id, revision, topic } = &self.delivery;
        serde_json::to_vec(&Payload {
            topic: topic.as_str(),
            timestamp: self.at,
            data: Data {
                order_id: order_id.as_str(),
                workflow: &self.workflow,
                version: self.version,
                status: &self.status,
                state: self.state,
                revision: *revision,
                position: position.to_string(),
                customer_id: &self.customer_id,
                step: self.step.as_deref(),
                expected_at: self.expected_at,
                url: format!("{base}/orders/{order_id}"),
            },
        })
    }
}

/// The body of a notification that only tries an endpoint.
pub fn test_payload(webhook: WebhookId, at: Timestamp) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Test {
        webhook: Uuid,
    }
    serde_json::to_vec(&Payload { topic: TEST_TYPE, timestamp: at, data: Test { webhook: webhook.0 } })
}

impl Delivery {
    /// The id of the message: the same for each attempt, each instance and each replay.
    pub fn message_id(&self, webhook: WebhookId) -> String {
        let Self { order_id, revision, topic } = self;
        let id = Uuid::new_v5(&webhook.0, format!("{order_id}/{revision}/{topic}").as_bytes());
        format!("msg_{}", id.simple())
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use serde_json::{Value, json};

    use super::*;
    use crate::ids::OrderId;
    use crate::order::{NewOrder, evolve};
    use crate::testing::{Story, done, order};
    use crate::workflow::Workflow;

    const WORKFLOW: &str = "
workflow: gift
version: 3
participants: { p: { url: 'http://p' } }
steps:
  wrap: { call: p.wrap, sets-status: Wrapped }
  approve: { after: [wrap], await: approval, timeout: 1d }
";

    /// Every notification of the events of a story, from the first on.
    fn notifications(events: &[Event]) -> Vec<Notification> {
        let mut state = None;
        let mut found = Vec::new();
        for (revision, event) in (0..).zip(events) {
            let after = evolve(state, event).unwrap();
            found.extend(Notification::of(event, revision, &after));
            state = Some(after);
        }
        found
    }

    fn story(workflow: &Workflow) -> Vec<Event> {
        let mut story = Story::given(workflow);
        let placed = story.place(NewOrder { order_id: Some(OrderId::new("7").unwrap()), ..order() });
        let mut events = placed.events();
        events.extend(story.answer("wrap", done()).events());
        events
    }

    fn all() -> Settings {
        Settings {
            url: "https://shop.example".to_owned(),
            events: Topic::ALL.into(),
            workflow: None,
            placed_by: None,
            description: None,
        }
    }

    #[test]
    fn an_order_that_waits_for_a_person_was_placed_and_changed_its_status_before() {
        let workflow = Workflow::parse(WORKFLOW).unwrap();
        let found = notifications(&story(&workflow));
        let told: Vec<_> =
            found.iter().map(|n| (n.delivery.topic.as_str(), &*n.status, n.state, n.step.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("order.placed", "Placed", "RUNNING", None),
                ("order.status_changed", "Wrapped", "RUNNING", None),
                ("order.approval_wanted", "Wrapped", "WAITING", Some("approve")),
            ]
        );
    }

    #[test]
    fn an_event_of_which_webhooks_are_notified_is_known_by_its_name() {
        let workflow = Workflow::parse(WORKFLOW).unwrap();
        for event in story(&workflow) {
            if let Some(topic) = Topic::of(&event) {
                assert_eq!(Topic::of_type(event.type_name()), Some(topic));
            }
        }
        assert_eq!(Topic::of_type("StepStarted"), None);
    }

    #[test]
    fn the_payload_is_thin_and_has_no_personal_data() {
        let workflow = Workflow::parse(WORKFLOW).unwrap();
        let found = notifications(&story(&workflow));
        let payload = found[2].payload(u64::MAX, "https://orders.example").unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&payload).unwrap(),
            json!({
                "type": "order.approval_wanted",
                "timestamp": "1970-01-01T00:00:00Z",
                "data": {
                    "orderId": "7",
                    "workflow": "gift",
                    "version": 3,
                    "status": "Wrapped",
                    "state": "WAITING",
                    "revision": found[2].delivery.revision,
                    "position": "18446744073709551615",
                    "customerId": "VINET",
                    "step": "approve",
                    "url": "https://orders.example/orders/7",
                },
            })
        );
    }

    #[test]
    fn a_late_order_says_when_it_was_expected_to_end() {
        let workflow = Workflow::parse(WORKFLOW).unwrap();
        let events = story(&workflow);
        let order = events.iter().fold(None, |state, event| Some(evolve(state, event).unwrap())).unwrap();
        let (at, expected_at) = (DateTime::UNIX_EPOCH + TimeDelta::seconds(90), DateTime::UNIX_EPOCH);
        let found = OrderFoundLate { order_id: OrderId::new("7").unwrap(), revision: 5, expected_at, at };
        let late = Notification::of_late(&found, &order);
        let payload: Value = serde_json::from_slice(&late.payload(9, "https://orders.example").unwrap()).unwrap();
        assert_eq!((&payload["type"], &payload["timestamp"]), (&json!("order.late"), &json!("1970-01-01T00:01:30Z")));
        let data = &payload["data"];
        assert_eq!((&data["revision"], &data["position"], &data["state"]), (&json!(5), &json!("9"), &json!("WAITING")));
        assert_eq!((&data["expectedAt"], data.get("step")), (&json!("1970-01-01T00:00:00Z"), None));
        assert!(late.is_for(&Settings { events: [Topic::Late].into(), ..all() }));
    }

    #[test]
    fn a_webhook_gets_what_it_names() {
        let workflow = Workflow::parse(WORKFLOW).unwrap();
        let mut found = notifications(&story(&workflow));
        let placed = found.remove(0);
        for (settings, is_for) in [
            (all(), true),
            (Settings { events: [Topic::Placed].into(), ..all() }, true),
            (Settings { events: [Topic::Ended].into(), ..all() }, false),
            (Settings { workflow: Some("gift".to_owned()), ..all() }, true),
            (Settings { workflow: Some("gifts".to_owned()), ..all() }, false),
            (Settings { placed_by: Some("shop".to_owned()), ..all() }, false),
        ] {
            assert_eq!(placed.is_for(&settings), is_for, "{settings:?}");
        }
        let by_shop = Notification { placed_by: Some("shop".to_owned()), ..placed };
        assert!(by_shop.is_for(&Settings { placed_by: Some("shop".to_owned()), ..all() }));
    }

    #[test]
    fn the_id_of_a_message_derives_from_what_it_is_and_never_changes() {
        let webhook = WebhookId(Uuid::from_u128(1));
        let delivery = Delivery { order_id: OrderId::new("7").unwrap(), revision: 4, topic: Topic::Ended };
        assert_eq!(delivery.message_id(webhook), "msg_fac3ba355c035958964d6b4335cbc4ad");
        for other in [
            Delivery { order_id: OrderId::new("8").unwrap(), ..delivery.clone() },
            Delivery { revision: 5, ..delivery.clone() },
            Delivery { topic: Topic::StatusChanged, ..delivery.clone() },
        ] {
            assert_ne!(other.message_id(webhook), delivery.message_id(webhook));
        }
        assert_ne!(delivery.message_id(WebhookId(Uuid::from_u128(2))), delivery.message_id(webhook));
    }
}
