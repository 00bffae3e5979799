//! The operations on webhooks, for `/openapi.json`.

use std::time::Duration;

use axum::http::Method;
use chrono::{DateTime, TimeDelta};
use domain::ids::OrderId;
use domain::webhook::{Delivery, Refusal, Settings, Standing, Topic, Webhook, WebhookId};
use http_problem::Problem;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use views::webhooks::DeadLetter;

use super::dead_letters::{MAX_PAGE, MAX_REPLAYED};
use super::handle::problem;
use super::settings::MAX_DESCRIPTION;
use super::shown::{Letter, Letters, Made, Replayed, Rotated, Shown, Tested, WebhookList};
use super::{DEAD_LETTERS, EARLIER_FOR, MAX_EARLIER_FOR, MAX_WEBHOOKS, ONE, PATH, REPLAY, ROTATE, TEST};
use crate::http::openapi::parts::optional_text;
use crate::http::openapi::{Operation, Shared, body, json_limits, schema_ref};

const TAG: &str = "webhooks";
/// A secret for examples.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(in crate::http) fn described() -> [Operation; 9] {
    [list(), create(), show(), change(), delete(), rotate(), test(), dead_letters(), replay()]
}

fn webhook() -> WebhookId {
    WebhookId(Uuid::from_u128(0x019a_6f2e_4d00_7000_8000_0000_0000_0001))
}

fn shown() -> Shown {
    let at = DateTime::UNIX_EPOCH;
    Shown::of(
        webhook(),
        &Webhook {
            settings: Settings {
                url: "https://shop.example/hooks".to_owned(),
                events: [Topic::Ended, Topic::Stuck].into(),
                workflow: Some("order-fulfilment".to_owned()),
                placed_by: None,
                description: Some("the warehouse's screen".to_owned()),
            },
            standing: Standing::Enabled,
            created_at: at,
            enabled_at: at,
            secret_at: at,
            earlier_secret_until: None,
        },
    )
}

fn settings() -> Value {
    json!({ "url": "https://shop.example/hooks", "events": ["order.ended", "order.stuck"], "workflow": "order-fulfilment" })
}

fn refused(refusal: Refusal) -> Problem {
    problem(&refusal.into())
}

/// An operation on one webhook.
fn of_one(operation: Operation) -> Operation {
    let parameter = json!({
        "name": "id",
        "in": "path",
        "required": true,
        "description": "The id of the webhook.",
        "schema": { "type": "string", "format": "uuid" },
        "example": webhook().to_string(),
    });
    operation
        .parameter(parameter)
        .refusal("No webhook has this id.", [("webhook", refused(Refusal::Unknown))])
        .shared([Shared::TryLater])
}

fn list() -> Operation {
    Operation::get(PATH, "listWebhooks", TAG, "All webhooks")
        .description("As the views have them: a webhook that was created just now may be missing.")
        .answer(200, "The oldest first.", "WebhookList", &WebhookList { webhooks: vec![shown()] })
        .shared([Shared::TryLater])
}

fn create() -> Operation {
    let made = Made { secret: SECRET.to_owned(), webhook: shown() };
    let too_many = Problem::conflict(format!("there are {MAX_WEBHOOKS} webhooks already; delete one first"));
    Operation::post(PATH, "createWebhook", TAG, "Have a system notified")
        .description(
            "The endpoint is notified of what happens from now on, by a signed POST (Standard Webhooks 1.0.0): at least \
             once, and of one order in the order of its events. The answer is the only one with the secret that signs. \
             A repeated request creates another webhook.",
        )
        .body(body("WebhookSettings", &json_limits(), [
            ("all", json!({ "url": "https://shop.example/hooks" })),
            ("some", settings()),
        ]))
        .answer(201, "The webhook, with its secret.", "NewWebhook", &made)
        .refusal("There are too many webhooks.", [("many", too_many)])
        .refusal("The settings are wrong.", [wrong_url()])
        .shared(Shared::OF_A_BODY)
}

fn wrong_url() -> (&'static str, Problem) {
    ("url", Problem::at("/url", "must start with https://; http:// is allowed for this machine only"))
}

fn show() -> Operation {
    of_one(Operation::get(ONE, "getWebhook", TAG, "A webhook")).answer(200, "As the log has it.", "Webhook", &shown())
}

fn change() -> Operation {
    let mut whole = settings();
    whole["enabled"] = json!(true);
    of_one(Operation::new(Method::PUT, ONE, "changeWebhook", TAG, "Replace the settings of a webhook"))
        .description(
            "What is left out gets its default. A webhook that is enabled again continues where it was disabled. Other \
             event types and another filter count from the present place in the log on.",
        )
        .body(body("ChangedWebhook", &json_limits(), [("enabled", whole)]))
        .answer(200, "The webhook.", "Webhook", &shown())
        .refusal("The settings are wrong.", [wrong_url()])
        .shared(Shared::OF_A_BODY)
}

fn delete() -> Operation {
    of_one(Operation::new(Method::DELETE, ONE, "deleteWebhook", TAG, "Delete a webhook"))
        .description("Nothing is sent any more. Its secrets are destroyed.")
        .answer_with(204, json!({ "description": "It is deleted." }))
}

fn rotate() -> Operation {
    let rotated = Rotated { secret: SECRET.to_owned(), earlier_until: DateTime::UNIX_EPOCH + TimeDelta::days(1) };
    let wrong = Problem::at("/earlierForSeconds", format!("must be at most {}", MAX_EARLIER_FOR.as_secs()));
    of_one(Operation::post(ROTATE, "rotateWebhookSecret", TAG, "Replace the secret of a webhook"))
        .description(
            "Notifications have two signatures until the earlier secret ends, so that the receiver can change over. The \
             answer is the only one with the new secret.",
        )
        .body(body("SecretRotation", &json_limits(), [("hour", json!({ "earlierForSeconds": 3_600 }))]))
        .answer(200, "The new secret.", "NewSecret", &rotated)
        .refusal("The body is wrong.", [("long", wrong)])
        .shared(Shared::OF_A_BODY)
}

fn test() -> Operation {
    let tested = Tested::silent(Duration::from_millis(4_500));
    let secret = Problem::conflict("the webhook has no secret here; rotate its secret");
    of_one(Operation::post(TEST, "testWebhook", TAG, "Send a message that only tries the endpoint"))
        .description("The message has the type `webhook.test`. It is sent once, also if the webhook is disabled.")
        .answer(200, "What became of it.", "WebhookTest", &tested)
        .refusal("The secret is lost.", [("secret", secret)])
}

fn dead_letters() -> Operation {
    let letter = DeadLetter {
        delivery: Delivery { order_id: example_order(), revision: 12, topic: Topic::Ended },
        attempts: 10,
        error: "the endpoint answered 500 Internal Server Error".to_owned(),
        given_up_at: DateTime::UNIX_EPOCH,
        position: 4711,
    };
    let letters = Letters { dead_letters: vec![Letter::of(webhook(), &letter)], after: None };
    let number = |name: &str, description: &str, schema: Value| json!({ "name": name, "in": "query", "required": false, "description": description, "schema": schema });
    let wrong = Problem::bad_request(format!(
        "`first` must be a number from 1 to {MAX_PAGE}, and `after` one that a list has given"
    ));
    of_one(Operation::get(DEAD_LETTERS, "listDeadLetters", TAG, "Notifications that were given up"))
        .description("Those that were not replayed since, in the order in which they were given up.")
        .parameter(number(
            "first",
            "How many.",
            json!({ "type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 50 }),
        ))
        .parameter(number("after", "Where the page before ended.", json!({ "type": "integer", "minimum": 0 })))
        .answer(200, "A page.", "DeadLetters", &letters)
        .refusal("A parameter has a value that is not allowed.", [("first", wrong)])
}

fn example_order() -> OrderId {
    OrderId::new("10248").unwrap_or_else(|error| unreachable!("{error}"))
}

fn replay() -> Operation {
    let wrong = Problem::at(
        "/all",
        "must be true, or \"orderId\" must name an order, or \"from\" or \"to\" a time: one of them",
    );
    of_one(Operation::post(REPLAY, "replayDeadLetters", TAG, "Send notifications again that were given up"))
        .description(&format!(
            "Those of an order, those that were given up in a time range, or all: the first {MAX_REPLAYED}. Their ids and \
             bodies are those of the first attempt."
        ))
        .body(body("Replay", &json_limits(), [
            ("order", json!({ "orderId": "10248", "revision": 12 })),
            ("range", json!({ "from": "2026-01-31T00:00:00Z", "to": "2026-02-01T00:00:00Z" })),
            ("all", json!({ "all": true })),
        ]))
        .answer(202, "They are sent soon.", "Replayed", &Replayed { replayed: 1, more: false })
        .refusal("The webhook is disabled.", [("disabled", refused(Refusal::Disabled))])
        .refusal("The body is wrong.", [("which", wrong)])
        .shared(Shared::OF_A_BODY)
}

pub(in crate::http) fn schemas() -> Map<String, Value> {
    let topic = json!({ "type": "string", "enum": Topic::ALL.map(Topic::as_str), "description": "An event type." });
    let moment = |description: &str| json!({ "type": "string", "format": "date-time", "description": description });
    let secret = json!({ "type": "string", "description": "`whsec_` and the Base64 of 32 random bytes." });
    let shown = json!({
        "id": { "type": "string", "format": "uuid" },
        "url": { "type": "string", "format": "uri" },
        "events": { "type": "array", "items": schema_ref("Topic") },
        "workflow": { "type": "string", "description": "Only orders of this workflow." },
        "placedBy": { "type": "string", "description": "Only orders that this principal placed." },
        "description": { "type": "string" },
        "enabled": { "type": "boolean" },
        "disabledBecause": { "type": "string" },
        "createdAt": moment(""),
        "secretMadeAt": moment("When the present secret was made."),
        "earlierSecretUntil": moment("Until when the earlier secret signs, too."),
        "position": { "type": "string", "description": "Of the event that has changed it: a decimal number." },
    });
    let required = json!(["id", "url", "events", "enabled", "createdAt", "secretMadeAt"]);
    let mut with_secret = shown.clone();
    with_secret["secret"] = secret.clone();
    let schemas = json!({
        "Topic": topic,
        "WebhookSettings": settings_schema(&json!({})),
        "ChangedWebhook": settings_schema(&json!({ "enabled": { "type": ["boolean", "null"], "description": "By default: true." } })),
        "Webhook": { "type": "object", "required": required, "properties": shown },
        "NewWebhook": { "type": "object", "required": required, "properties": with_secret },
        "WebhookList": object(&json!(["webhooks"]), &json!({ "webhooks": { "type": "array", "items": schema_ref("Webhook") } })),
        "SecretRotation": { "type": "object", "additionalProperties": false, "properties": { "earlierForSeconds": {
            "type": ["integer", "null"], "minimum": 0, "maximum": MAX_EARLIER_FOR.as_secs(),
            "description": format!("How long the earlier secret signs, too. By default: {}.", EARLIER_FOR.as_secs()),
        } } },
        "NewSecret": object(&json!(["secret", "earlierUntil"]), &json!({
            "secret": secret, "earlierUntil": moment("Until when the earlier secret signs, too."),
        })),
        "WebhookTest": object(&json!(["delivered", "tookMs"]), &json!({
            "delivered": { "type": "boolean" },
            "status": { "type": "integer", "description": "The HTTP status, if an answer came." },
            "tookMs": { "type": "integer" },
            "error": { "type": "string", "description": "Why the message counts as not delivered." },
        })),
        "DeadLetters": object(&json!(["deadLetters"]), &json!({
            "deadLetters": { "type": "array", "items": schema_ref("DeadLetter") },
            "after": { "type": "string", "description": "Where the next page begins; missing: this is the last." },
        })),
        "DeadLetter": object(
            &json!(["messageId", "orderId", "revision", "type", "attempts", "error", "givenUpAt"]),
            &json!({
                "messageId": { "type": "string", "description": "The `webhook-id` of each attempt." },
                "orderId": schema_ref("OrderId"),
                "revision": { "type": "integer" },
                "type": schema_ref("Topic"),
                "attempts": { "type": "integer" },
                "error": { "type": "string" },
                "givenUpAt": moment(""),
            }),
        ),
        "Replay": { "type": "object", "additionalProperties": false, "description": "One of the three.", "properties": {
            "orderId": { "anyOf": [schema_ref("OrderId"), { "type": "null" }] },
            "revision": { "type": ["integer", "null"], "minimum": 0, "description": "Only of this event of the order." },
            "from": { "type": ["string", "null"], "format": "date-time" },
            "to": { "type": ["string", "null"], "format": "date-time" },
            "all": { "type": ["boolean", "null"] },
        } },
        "Replayed": object(&json!(["replayed", "more"]), &json!({
            "replayed": { "type": "integer" },
            "more": { "type": "boolean", "description": "Whether more match: send the same request again." },
        })),
    });
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}

fn object(required: &Value, properties: &Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

fn settings_schema(more: &Value) -> Value {
    let mut properties = json!({
        "url": { "type": "string", "format": "uri", "maxLength": 2048, "description":
            "Where notifications are sent. It starts with `https://`, and holds no password. `http://` is for this machine." },
        "events": { "description": "By default: all.", "anyOf": [
            { "type": "array", "minItems": 1, "maxItems": Topic::ALL.len(), "items": schema_ref("Topic") },
            { "type": "null" },
        ] },
        "workflow": optional_text("Only orders of this workflow."),
        "placedBy": optional_text("Only orders that this principal placed."),
        "description": optional_text(&format!("What it is for, in at most {MAX_DESCRIPTION} characters.")),
    });
    if let (Value::Object(properties), Value::Object(more)) = (&mut properties, more) {
        properties.extend(more.clone());
    }
    json!({ "type": "object", "required": ["url"], "additionalProperties": false, "properties": properties })
}
