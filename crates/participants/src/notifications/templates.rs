//! The text of the mails.

use lettre::Address;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A mail to write.
#[derive(Deserialize)]
pub(crate) struct Letter {
    pub(super) template: String,
    pub(super) to: Address,
    pub(super) name: Option<String>,
    /// Other values for the template.
    #[serde(flatten)]
    facts: Map<String, Value>,
}

/// The text of a mail.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) subject: String,
    pub(super) body: String,
}

pub(super) fn write(letter: &Letter, order_id: &str) -> Text {
    let (happened, message) = match letter.template.as_str() {
        "order-placed" => ("was placed", "Thank you for your order. We are on it.".to_owned()),
        "order-shipped" => ("is on its way", shipped(letter)),
        "order-backordered" => (
            "is waiting for stock",
            "Something you ordered is not in stock. We send everything as soon as it is; there is nothing to do for you."
                .to_owned(),
        ),
        "order-canceled" => ("was canceled", "We could not fulfil your order. What was charged is refunded.".to_owned()),
        other => ("has news", format!("There is news about your order: {other}.")),
    };
    let greeting = letter.name.as_deref().map_or_else(|| "Hello,".to_owned(), |name| format!("Dear {name},"));
    Text {
        subject: format!("Your order {order_id} {happened}"),
        body: format!("{greeting}\n\n{message}\n\nOrder {order_id}\n"),
    }
}

fn shipped(letter: &Letter) -> String {
    let sent = "Your order has left our house.";
    match letter.facts.get("tracking").and_then(|tracking| tracking.as_str()) {
        Some(tracking) => format!("{sent} You can follow it as {tracking}."),
        None => sent.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(input: Value) -> Text {
        write(&serde_json::from_value(input).unwrap(), "10248")
    }

    #[test]
    fn a_shipped_mail_says_how_to_follow_the_parcel() {
        let text =
            written(json!({ "template": "order-shipped", "to": "a@b.example", "name": "Ana", "tracking": "TN1" }));
        assert_eq!(text.subject, "Your order 10248 is on its way");
        assert!(text.body.starts_with("Dear Ana,\n"));
        assert!(text.body.contains("TN1"));
    }

    #[test]
    fn an_unknown_template_still_makes_a_mail() {
        let text = written(json!({ "template": "order-held", "to": "a@b.example" }));
        assert_eq!(text.subject, "Your order 10248 has news");
        assert!(text.body.contains("order-held"));
    }
}
