//! What an administrator chooses of a webhook, from a body.

use std::collections::BTreeSet;

use domain::webhook::{Settings, Topic, check_url};
use http_problem::Problem;
use http_request::{Fields, line_fault};
use serde_json::Value;

use crate::webhooks::Sender;

/// The longest name of a workflow or of a principal, and the longest description, in characters.
const MAX_NAME: usize = 200;
pub(super) const MAX_DESCRIPTION: usize = 200;

const WHAT: &str = "must be an object with \"url\"";

/// The settings of a new webhook.
pub(super) fn new(body: Value, sender: &Sender) -> Result<Settings, Problem> {
    let mut fields = Fields::of(body, "", WHAT)?;
    let settings = read(&mut fields, sender);
    fields.finish()?;
    Ok(settings)
}

/// The new settings of a webhook, and whether it is enabled.
pub(super) fn changed(body: Value, sender: &Sender) -> Result<(Settings, bool), Problem> {
    let mut fields = Fields::of(body, "", WHAT)?;
    let settings = read(&mut fields, sender);
    let enabled = !fields.has("enabled") || fields.flag("enabled");
    fields.finish()?;
    Ok((settings, enabled))
}

fn read(fields: &mut Fields, sender: &Sender) -> Settings {
    let url =
        fields.required_text(
            "url",
            "the URL of the endpoint, like https://shop.example/hooks",
            |text| match check_url(text) {
                Err(fault) => Some(fault),
                Ok(url) => sender.check(&url).err().map(|fault| fault.to_string()),
            },
        );
    let events = events(fields);
    let workflow = fields.text("workflow", |text| line_fault(text, MAX_NAME));
    let placed_by = fields.text("placedBy", |text| line_fault(text, MAX_NAME));
    let description = fields.text("description", |text| line_fault(text, MAX_DESCRIPTION));
    Settings { url, events, workflow, placed_by, description }
}

/// Every event type by default.
fn events(fields: &mut Fields) -> BTreeSet<Topic> {
    let Some(value) = fields.take("events") else { return Topic::ALL.into() };
    let Value::Array(names) = value else {
        fields.wrong("events", "must be a list of event types");
        return BTreeSet::new();
    };
    if !(1..=Topic::ALL.len()).contains(&names.len()) {
        fields.wrong("events", format!("must name 1 to {} event types", Topic::ALL.len()));
        return BTreeSet::new();
    }
    let mut events = BTreeSet::new();
    for (index, name) in names.into_iter().enumerate() {
        match name.as_str().map(str::parse::<Topic>) {
            Some(Ok(topic)) => {
                events.insert(topic);
            }
            Some(Err(error)) => fields.wrong(&format!("events/{index}"), error.to_string()),
            None => fields.wrong(&format!("events/{index}"), format!("must be an event type, found {name}")),
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::response::IntoResponse;
    use http_client::{Destinations, ParticipantTls, Requests};
    use serde_json::json;

    use super::*;
    use crate::webhooks::WebhookSetup;

    fn sender() -> Sender {
        let setup = WebhookSetup {
            destinations: Destinations::of(Requests::ToWebhooks, Vec::new()),
            tls: ParticipantTls::default(),
            timeout: Duration::from_secs(1),
            retries: Duration::from_secs(1),
        };
        Sender::new(&setup).unwrap()
    }

    #[test]
    fn a_webhook_gets_every_event_unless_it_names_some() {
        let settings = new(json!({ "url": "https://shop.example/" }), &sender()).unwrap();
        assert_eq!(settings.events, Topic::ALL.into());
        let some = json!({ "url": "https://shop.example/", "events": ["order.ended"], "enabled": false });
        let (settings, enabled) = changed(some, &sender()).unwrap();
        assert_eq!((settings.events, enabled), ([Topic::Ended].into(), false));
    }

    #[tokio::test]
    async fn each_fault_is_reported_with_its_place() {
        for (body, pointers) in [
            (json!({}), vec!["/url"]),
            (json!({ "url": 1 }), vec!["/url"]),
            (json!({ "url": "http://shop.example" }), vec!["/url"]),
            (json!({ "url": "https://127.0.0.1/" }), vec!["/url"]),
            (json!({ "url": "https://169.254.169.254/" }), vec!["/url"]),
            (json!({ "url": "https://shop.example", "events": [] }), vec!["/events"]),
            (json!({ "url": "https://shop.example", "events": ["order.lost", 1] }), vec!["/events/0", "/events/1"]),
            (json!({ "url": "https://shop.example", "workflow": "", "placedBy": " " }), vec!["/workflow", "/placedBy"]),
            (json!({ "url": "https://shop.example", "secret": "x", "enabled": true }), vec!["/enabled", "/secret"]),
        ] {
            let problem = new(body.clone(), &sender()).unwrap_err();
            let bytes = axum::body::to_bytes(problem.into_response().into_body(), usize::MAX).await.unwrap();
            let problem: Value = serde_json::from_slice(&bytes).unwrap();
            let found: Vec<&str> =
                problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
            assert_eq!(found, pointers, "{body}");
        }
    }
}
