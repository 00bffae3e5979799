//! Answers about webhooks, for people.

use std::fmt::Write;

use serde_json::Value;

/// A text of an answer; empty: it has none of this name.
fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_default()
}

fn items<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    answer[name].as_array().into_iter().flatten()
}

pub(super) fn webhook(answer: &Value) -> String {
    let events: Vec<&str> = items(answer, "events").filter_map(Value::as_str).collect();
    let mut told = format!(
        "webhook {}\n  url      {}\n  events   {}\n",
        text(answer, "id"),
        text(answer, "url"),
        events.join(", ")
    );
    for (label, name) in [("workflow", "workflow"), ("placed by", "placedBy"), ("for", "description")] {
        if let Some(value) = answer[name].as_str() {
            let _ = writeln!(told, "  {label:<8} {value}");
        }
    }
    let state = match answer["disabledBecause"].as_str() {
        Some(because) => format!("disabled: {because}"),
        None => "enabled".to_owned(),
    };
    let _ = writeln!(told, "  state    {state}");
    if let Some(until) = answer["earlierSecretUntil"].as_str() {
        let _ = writeln!(told, "  secret   of {}; the earlier one signs until {until}", text(answer, "secretMadeAt"));
    }
    told
}

pub(super) fn added(answer: &Value) -> String {
    format!("{}  secret   {}\n\nKeep the secret: it is not shown again.\n", webhook(answer), text(answer, "secret"))
}

pub(super) fn list(answer: &Value) -> String {
    let all: Vec<String> = items(answer, "webhooks").map(webhook).collect();
    if all.is_empty() { "no webhook\n".to_owned() } else { all.concat() }
}

pub(super) fn rotated(answer: &Value) -> String {
    let (secret, until) = (text(answer, "secret"), text(answer, "earlierUntil"));
    format!(
        "secret   {secret}\n\nKeep the secret: it is not shown again. The earlier one signs as well until {until}.\n"
    )
}

pub(super) fn tested(answer: &Value) -> String {
    match answer["error"].as_str() {
        None => format!("delivered: the endpoint answered {} in {} ms\n", answer["status"], answer["tookMs"]),
        Some(error) => format!("not delivered: {error}\n"),
    }
}

pub(super) fn dead(answer: &Value) -> String {
    let mut told = String::new();
    for letter in items(answer, "deadLetters") {
        let [order, topic, at, error] = ["orderId", "type", "givenUpAt", "error"].map(|name| text(letter, name));
        let (revision, attempts) = (&letter["revision"], &letter["attempts"]);
        let _ = writeln!(told, "{at}  order {order}, event {revision}: {topic}, {attempts} attempts: {error}");
    }
    if told.is_empty() {
        return "no dead letter\n".to_owned();
    }
    if let Some(after) = answer["after"].as_str() {
        let _ = writeln!(told, "  and more: --after {after}");
    }
    told
}

pub(super) fn replayed(answer: &Value) -> String {
    let more = if answer["more"] == true { "; there are more: run the command again" } else { "" };
    format!("{} notifications are sent again{more}\n", answer["replayed"])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_webhook_is_shown_with_its_secret_only_when_it_is_new() {
        let answer = json!({
            "id": "7", "url": "https://shop.example/", "events": ["order.ended", "order.stuck"], "enabled": true,
            "placedBy": "shop", "secret": "whsec_x", "secretMadeAt": "now",
        });
        let shown = webhook(&answer);
        assert_eq!(
            shown,
            "webhook 7\n  url      https://shop.example/\n  events   order.ended, order.stuck\n  placed by shop\n  state    enabled\n"
        );
        assert!(added(&answer).contains("  secret   whsec_x\n"));
        let disabled =
            json!({ "id": "7", "url": "u", "events": [], "disabledBecause": "410", "earlierSecretUntil": "then" });
        assert!(
            webhook(&disabled).contains("  state    disabled: 410\n  secret   of ; the earlier one signs until then\n")
        );
        assert_eq!(list(&json!({ "webhooks": [] })), "no webhook\n");
    }

    #[test]
    fn dead_letters_are_listed_with_their_errors_and_how_to_go_on() {
        let letter = json!({
            "orderId": "10248", "revision": 12, "type": "order.ended", "attempts": 10, "error": "500", "givenUpAt": "noon",
        });
        assert_eq!(
            dead(&json!({ "deadLetters": [letter], "after": "99" })),
            "noon  order 10248, event 12: order.ended, 10 attempts: 500\n  and more: --after 99\n"
        );
        assert_eq!(dead(&json!({ "deadLetters": [] })), "no dead letter\n");
        assert_eq!(
            replayed(&json!({ "replayed": 500, "more": true })),
            "500 notifications are sent again; there are more: run the command again\n"
        );
    }

    #[test]
    fn a_test_message_is_delivered_or_says_why_not() {
        let delivered = json!({ "delivered": true, "status": 204, "tookMs": 12 });
        assert_eq!(tested(&delivered), "delivered: the endpoint answered 204 in 12 ms\n");
        assert_eq!(tested(&json!({ "delivered": false, "error": "refused" })), "not delivered: refused\n");
    }
}
