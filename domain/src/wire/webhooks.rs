//! The wire form of webhooks' events, in the streams `webhook-{id}`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::streams::WEBHOOK_STREAM_PREFIX;

use super::participants::Message;
use super::{SCHEMA, WireError, read};
use crate::webhook::Event;

/// Who acted, and the version of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookMetadata {
    /// The principal; `None`: callers are not authenticated, or Tenuto acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The schema version of the data.
    pub schema: u32,
}

/// One line for each event. Its name in the log is the name of its variant.
macro_rules! events {
    ($($name:ident),* $(,)?) => {
        fn data_of(event: &Event) -> Result<Vec<u8>, serde_json::Error> {
            match event { $(Event::$name(data) => serde_json::to_vec(data),)* }
        }

        fn event_of(event_type: &str, data: &[u8]) -> Result<Event, WireError> {
            match event_type {
                $(stringify!($name) => Ok(Event::$name(read(event_type, "data", data)?)),)*
                unknown => Err(WireError::UnknownType(unknown.to_owned())),
            }
        }
    };
}

events!(
    WebhookCreated,
    WebhookChanged,
    WebhookDisabled,
    WebhookEnabled,
    WebhookDeleted,
    WebhookSecretRotated,
    DeliveryGivenUp,
    DeliveryReplayed,
    OrderFoundLate,
);

/// Encodes an event.
pub fn encode_webhook(event: &Event, id: Uuid, actor: Option<&str>) -> Result<Message, serde_json::Error> {
    let metadata = WebhookMetadata { actor: actor.map(str::to_owned), schema: SCHEMA };
    let (data, metadata) = (data_of(event)?, serde_json::to_vec(&metadata)?);
    Ok(Message { id, event_type: event.type_name(), data, metadata })
}

/// Decodes an event of a webhook's stream.
pub fn decode_webhook(event_type: &str, data: &[u8], metadata: &[u8]) -> Result<Event, WireError> {
    match read::<WebhookMetadata>(event_type, "metadata", metadata)?.schema {
        SCHEMA => event_of(event_type, data),
        found => Err(WireError::UnknownVersion { event_type: event_type.to_owned(), found }),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use serde_json::{Value, json};

    use super::*;
    use crate::ids::OrderId;
    use crate::webhook::{
        Delivery, DeliveryGivenUp, DeliveryReplayed, OrderFoundLate, Settings, Topic, WebhookChanged, WebhookCreated,
        WebhookDeleted, WebhookDisabled, WebhookEnabled, WebhookSecretRotated,
    };
    use crate::wire::golden_tests::assert_golden;

    fn one_of_each() -> [Event; 9] {
        let at = DateTime::UNIX_EPOCH;
        let settings = Settings {
            url: "https://shop.example/hooks".into(),
            // Those that there were when the golden file was written.
            events: Topic::ALL[..5].iter().copied().collect(),
            workflow: Some("order-fulfilment".into()),
            placed_by: Some("shop".into()),
            description: Some("the warehouse's screen".into()),
        };
        let delivery = Delivery { order_id: OrderId::new("10248").unwrap(), revision: 12, topic: Topic::Ended };
        [
            Event::WebhookCreated(WebhookCreated { settings: settings.clone(), at }),
            Event::WebhookChanged(WebhookChanged {
                settings: Settings {
                    events: [Topic::Stuck].into(),
                    workflow: None,
                    placed_by: None,
                    description: None,
                    ..settings
                },
                at,
            }),
            Event::WebhookDisabled(WebhookDisabled { because: "the endpoint answered 410 Gone".into(), at }),
            Event::WebhookEnabled(WebhookEnabled { at }),
            Event::WebhookDeleted(WebhookDeleted { at }),
            Event::WebhookSecretRotated(WebhookSecretRotated { earlier_until: at + TimeDelta::days(1), at }),
            Event::DeliveryGivenUp(DeliveryGivenUp {
                delivery: delivery.clone(),
                attempts: 10,
                error: "the endpoint answered 500 Internal Server Error".into(),
                at,
            }),
            Event::DeliveryReplayed(DeliveryReplayed { delivery, at }),
            Event::OrderFoundLate(OrderFoundLate {
                order_id: OrderId::new("10248").unwrap(),
                revision: 7,
                expected_at: at,
                at: at + TimeDelta::seconds(1),
            }),
        ]
    }

    #[test]
    fn what_is_written_is_the_golden_file_and_is_read() {
        for event in one_of_each() {
            let Message { event_type, data, metadata, .. } = encode_webhook(&event, Uuid::nil(), Some("ann")).unwrap();
            let written = json!({
                "data": serde_json::from_slice::<Value>(&data).unwrap(),
                "metadata": serde_json::from_slice::<Value>(&metadata).unwrap(),
            });
            assert_golden(&format!("webhook/{event_type}.v1.json"), &written);
            assert_eq!(decode_webhook(event_type, &data, &metadata).unwrap(), event);
        }
    }

    #[test]
    fn another_version_or_name_is_an_error_that_names_it() {
        let [created, ..] = one_of_each();
        let Message { event_type, data, .. } = encode_webhook(&created, Uuid::nil(), None).unwrap();
        let error = decode_webhook(event_type, &data, br#"{"schema":2}"#).unwrap_err();
        assert!(matches!(error, WireError::UnknownVersion { found: 2, .. }), "{error}");
        let error = decode_webhook("WebhookPainted", &data, br#"{"schema":1}"#).unwrap_err();
        assert_eq!(error.to_string(), "unknown event type \"WebhookPainted\"");
    }
}
