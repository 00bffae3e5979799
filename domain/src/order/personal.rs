//! Personal data stays in `OrderPlaced`: what steps are told is recorded with placeholders, filled in when a request is made.
//!
//! So that a customer's data can be encrypted, or erased, in one place, without touching the rest of the history. Guards see
//! the real values, since only "yes" or "no" remains of them; inputs see `⟦customer.email⟧` and the like. Country and region
//! point at nobody and decide much (carriers, taxes): they are no placeholders.

use serde_json::Value;

use super::content::Address;
use super::event::PersonalData;

const OPEN: &str = "⟦";
const CLOSE: &str = "⟧";

type Field = (&'static str, fn(&mut PersonalData) -> Option<&mut String>);

/// What identifies a person, and where it stands.
const FIELDS: [Field; 6] = [
    ("customer.name", |p| p.name.as_mut()),
    ("customer.email", |p| p.email.as_mut()),
    ("shipTo.name", |p| address(p)?.name.as_mut()),
    ("shipTo.street", |p| address(p)?.street.as_mut()),
    ("shipTo.city", |p| address(p)?.city.as_mut()),
    ("shipTo.postalCode", |p| address(p)?.postal_code.as_mut()),
];

fn address(personal: &mut PersonalData) -> Option<&mut Address> {
    personal.ship_to.as_mut()
}

/// The same data with a placeholder for everything that is there.
pub(super) fn masked(personal: &PersonalData) -> PersonalData {
    let mut masked = personal.clone();
    for (name, field) in FIELDS {
        if let Some(text) = field(&mut masked) {
            *text = format!("{OPEN}{name}{CLOSE}");
        }
    }
    masked
}

/// Of masked data, what is no placeholder.
pub(super) fn unmasked(masked: &PersonalData) -> PersonalData {
    let mut rest = masked.clone();
    rest.name = None;
    rest.email = None;
    if let Some(to) = &mut rest.ship_to {
        *to = Address { region: to.region.take(), country: to.country.take(), ..Address::default() };
    }
    rest
}

impl PersonalData {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A recorded input, as the participant is told it: each placeholder filled in, wherever it ended up.
    pub fn fill_in(&self, input: &Value) -> Value {
        match input {
            Value::String(text) if text.contains(OPEN) => Value::String(filled_in_text(text, self)),
            Value::Array(items) => items.iter().map(|item| self.fill_in(item)).collect(),
            Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), self.fill_in(value))).collect(),
            other => other.clone(),
        }
    }
}

/// One pass from left to right, so that a value that looks like a placeholder is left as it is.
fn filled_in_text(text: &str, personal: &PersonalData) -> String {
    let mut personal = personal.clone();
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        filled.push_str(before);
        let value = after.split_once(CLOSE).and_then(|(name, rest)| {
            let (_, field) = FIELDS.into_iter().find(|(known, _)| *known == name)?;
            Some((field(&mut personal)?.clone(), rest))
        });
        if let Some((value, after)) = value {
            filled.push_str(&value);
            rest = after;
        } else {
            filled.push_str(OPEN);
            rest = after;
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn personal() -> PersonalData {
        PersonalData {
            name: Some("Ann ⟦customer.email⟧".into()),
            email: Some("ann@example.org".into()),
            ship_to: Some(Address { city: Some("Reims".into()), country: Some("France".into()), ..Address::default() }),
        }
    }

    #[test]
    fn what_is_masked_is_filled_in_again_wherever_it_ended_up() {
        let masked = masked(&personal());
        assert_eq!(masked.email.as_deref(), Some("⟦customer.email⟧"));
        let input =
            json!({ "to": masked.email, "lines": [format!("Dear {},", masked.name.unwrap())], "at": masked.ship_to });
        let told = personal().fill_in(&input);
        assert_eq!(told["to"], "ann@example.org");
        assert_eq!(told["lines"][0], "Dear Ann ⟦customer.email⟧,");
        assert_eq!((&told["at"]["city"], &told["at"]["country"]), (&json!("Reims"), &json!("France")));
        assert_eq!(told["at"]["street"], Value::Null);
    }

    #[test]
    fn what_is_no_placeholder_stays() {
        for text in ["⟦", "⟦odd⟧ ⟦shipTo.street⟧", "⟧⟦customer.name", "plain"] {
            assert_eq!(personal().fill_in(&json!(text)), json!(text));
        }
    }
}
