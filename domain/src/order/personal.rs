//! Personal data stay in `OrderPlaced`. Events record inputs with placeholders, which are filled in
//! when a request is sent.
//!
//! So one place can encrypt or erase a customer's data, and the rest of the history stays as it is.
//! Guards read the real values, because events keep only their result. Inputs contain
//! `⟦customer.email⟧` and the like. Country and region identify no person and decide much
//! (carriers, taxes), so they stay.
//!
//! Text that only looks like a placeholder is passed on unchanged. An evaluation tracks what it
//! takes from personal data ([`Evaluated::placeholders`](crate::workflow::Evaluated)). If other
//! text in a recorded value looks like a placeholder, the event also records [`Placeholders`],
//! which list the real ones. Without that list all are real, as in every event from before.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::content::{Address, PersonalData};
use crate::json::push_token;
use crate::workflow::Evaluated;

const OPEN: &str = "⟦";
const CLOSE: &str = "⟧";

type Field = (&'static str, fn(&mut PersonalData) -> Option<&mut String>);

/// The fields that identify a person.
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

/// The same data, with a placeholder for every value.
pub(super) fn masked(personal: &PersonalData) -> PersonalData {
    let mut masked = personal.clone();
    for (name, field) in FIELDS {
        if let Some(text) = field(&mut masked) {
            *text = format!("{OPEN}{name}{CLOSE}");
        }
    }
    masked
}

/// The part of masked data that is not a placeholder.
pub(super) fn unmasked(masked: &PersonalData) -> PersonalData {
    let mut rest = masked.clone();
    rest.name = None;
    rest.email = None;
    if let Some(to) = &mut rest.ship_to {
        *to = Address { region: to.region.take(), country: to.country.take(), ..Address::default() };
    }
    rest
}

/// Which placeholders of a recorded value stand for personal data: a JSON pointer (RFC 6901) to
/// each text that has some, and the characters at which they begin, from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Placeholders(BTreeMap<String, Vec<u32>>);

impl Placeholders {
    /// The placeholders of a value; `None`: no other text looks like one, so no list is needed.
    fn of(value: &Value, found: impl IntoIterator<Item = (String, Vec<u32>)>) -> Option<Self> {
        let found: BTreeMap<String, Vec<u32>> = found.into_iter().collect();
        let mut apparent = BTreeMap::new();
        if may_have_placeholders(value) {
            look(value, &mut String::new(), &mut apparent);
        }
        (apparent != found).then_some(Self(found))
    }
}

/// A value as an event records it.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// The value, with placeholders.
    pub value: Value,
    /// Which of them stand for personal data, if a list is needed.
    pub placeholders: Option<Placeholders>,
}

impl Recorded {
    /// The value of an expression.
    pub fn of(Evaluated { value, placeholders }: Evaluated) -> Self {
        let placeholders = Placeholders::of(&value, placeholders);
        Self { value, placeholders }
    }

    /// Whether it has placeholders for personal data.
    pub fn is_personal(&self) -> bool {
        PersonalData::are_in(&self.value, self.placeholders.as_ref())
    }
}

/// Whether a text within a value may look like a placeholder. In most values none does.
fn may_have_placeholders(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(OPEN),
        Value::Array(items) => items.iter().any(may_have_placeholders),
        Value::Object(fields) => fields.values().any(may_have_placeholders),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Finds all text within a value that looks like a placeholder.
fn look(value: &Value, pointer: &mut String, apparent: &mut BTreeMap<String, Vec<u32>>) {
    let length = pointer.len();
    match value {
        Value::String(text) => {
            let starts: Vec<u32> = pieces(text, None).filter_map(|piece| piece.start).collect();
            if !starts.is_empty() {
                apparent.insert(pointer.clone(), starts);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                push_token(pointer, &index.to_string());
                look(item, pointer, apparent);
                pointer.truncate(length);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                push_token(pointer, name);
                look(field, pointer, apparent);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

impl PersonalData {
    /// Whether no field has a value.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A recorded input as the participant gets it: placeholders are filled in where a value
    /// exists.
    pub fn fill_in<'v>(&self, input: &'v Value, placeholders: Option<&Placeholders>) -> Cow<'v, Value> {
        self.with_own_data(input, placeholders, false)
    }

    /// A recorded result as it is shown: a text whose placeholder has no value is `null`.
    pub fn show_in<'v>(&self, result: &'v Value, placeholders: Option<&Placeholders>) -> Cow<'v, Value> {
        self.with_own_data(result, placeholders, true)
    }

    fn with_own_data<'v>(&self, value: &'v Value, ours: Option<&Placeholders>, or_null: bool) -> Cow<'v, Value> {
        if may_have_placeholders(value) {
            Cow::Owned(self.filled_in(value, &mut String::new(), ours, or_null))
        } else {
            Cow::Borrowed(value)
        }
    }

    /// A recorded input for a request while the personal data cannot be read: a text with
    /// placeholders is `null`. The returned placeholders are empty.
    pub fn without_personal_data(input: &Value, placeholders: Option<&Placeholders>) -> (Value, Placeholders) {
        (Self::default().show_in(input, placeholders).into_owned(), Placeholders::default())
    }

    /// Whether a recorded value has placeholders for personal data.
    pub fn are_in(value: &Value, placeholders: Option<&Placeholders>) -> bool {
        placeholders.is_none_or(|Placeholders(ours)| !ours.is_empty())
            && *Self::default().show_in(value, placeholders) != *value
    }

    fn filled_in(&self, value: &Value, pointer: &mut String, ours: Option<&Placeholders>, or_null: bool) -> Value {
        let length = pointer.len();
        match value {
            Value::String(text) if text.contains(OPEN) => {
                let starts = ours.map(|Placeholders(ours)| ours.get(pointer).map_or(&[][..], Vec::as_slice));
                self.text(text, starts, or_null)
            }
            Value::Array(items) => {
                let items = items.iter().enumerate().map(|(index, item)| {
                    push_token(pointer, &index.to_string());
                    let filled = self.filled_in(item, pointer, ours, or_null);
                    pointer.truncate(length);
                    filled
                });
                items.collect()
            }
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, field)| {
                    push_token(pointer, name);
                    let filled = self.filled_in(field, pointer, ours, or_null);
                    pointer.truncate(length);
                    (name.clone(), filled)
                });
                fields.collect()
            }
            other => other.clone(),
        }
    }

    fn text(&self, text: &str, starts: Option<&[u32]>, or_null: bool) -> Value {
        let mut personal = self.clone();
        let mut filled = String::with_capacity(text.len());
        for piece in pieces(text, starts) {
            match piece.field.and_then(|field| field(&mut personal)) {
                Some(value) => filled.push_str(value),
                None if piece.field.is_some() && or_null => return Value::Null,
                None => filled.push_str(piece.text),
            }
        }
        Value::String(filled)
    }
}

/// A placeholder, or the text before the next one.
struct Piece<'t> {
    text: &'t str,
    /// The field that the placeholder stands for.
    field: Option<fn(&mut PersonalData) -> Option<&mut String>>,
    /// The character at which a placeholder begins.
    start: Option<u32>,
}

/// Splits a text in one pass from left to right, so that filled-in values are not read again.
/// `starts`: where the placeholders begin; `None`: all that looks like a placeholder is one.
fn pieces<'t>(text: &'t str, starts: Option<&'t [u32]>) -> impl Iterator<Item = Piece<'t>> {
    let (mut rest, mut at) = (text, 0_u32);
    std::iter::from_fn(move || {
        let placeholder = |rest: &'t str, at: u32| {
            let after = rest.strip_prefix(OPEN)?;
            let named = |name: &str| after.strip_prefix(name).is_some_and(|after| after.starts_with(CLOSE));
            let (name, field) = FIELDS.into_iter().find(|(known, _)| named(known))?;
            let is_one = starts.is_none_or(|starts| starts.binary_search(&at).is_ok());
            is_one.then_some((OPEN.len() + name.len() + CLOSE.len(), field))
        };
        if rest.is_empty() {
            return None;
        }
        let found = placeholder(rest, at);
        let length = found.map_or_else(
            || {
                let mut next = at;
                let end = rest.char_indices().skip(1).find(|(index, _)| {
                    next += 1;
                    placeholder(&rest[*index..], next).is_some()
                });
                end.map_or(rest.len(), |(index, _)| index)
            },
            |(length, _)| length,
        );
        let (text, behind) = rest.split_at(length);
        let piece = Piece { text, field: found.map(|(_, field)| field), start: found.map(|_| at) };
        rest = behind;
        at += u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        Some(piece)
    })
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
    fn masked_data_are_filled_in_wherever_their_placeholders_are() {
        let masked = masked(&personal());
        assert_eq!(masked.email.as_deref(), Some("⟦customer.email⟧"));
        let input =
            json!({ "to": masked.email, "lines": [format!("Dear {},", masked.name.unwrap())], "at": masked.ship_to });
        let filled = personal().fill_in(&input, None);
        assert_eq!(filled["to"], "ann@example.org");
        assert_eq!(filled["lines"][0], "Dear Ann ⟦customer.email⟧,");
        assert_eq!((&filled["at"]["city"], &filled["at"]["country"]), (&json!("Reims"), &json!("France")));
        assert_eq!(filled["at"]["street"], Value::Null);
    }

    #[test]
    fn other_text_in_brackets_stays() {
        for text in ["⟦", "⟦odd⟧ ⟦shipTo.street⟧", "⟧⟦customer.name", "plain"] {
            assert_eq!(*personal().fill_in(&json!(text), None), json!(text));
        }
    }

    #[test]
    fn only_listed_placeholders_are_filled_in() {
        let input = json!({
            "to": "⟦customer.email⟧", "ref": "17 ⟦customer.email⟧", "mixed": ["ö ⟦shipTo.city⟧, ⟦shipTo.city⟧⟦shipTo.city⟧"],
        });
        let found = [("/to".to_owned(), vec![0]), ("/mixed/0".to_owned(), vec![17])];
        let placeholders = Placeholders::of(&input, found).unwrap();
        assert_eq!(json!(placeholders), json!({ "/mixed/0": [17], "/to": [0] }));
        let filled = personal().fill_in(&input, Some(&placeholders));
        assert_eq!(filled["to"], "ann@example.org");
        assert_eq!(filled["ref"], "17 ⟦customer.email⟧");
        assert_eq!(filled["mixed"][0], "ö ⟦shipTo.city⟧, Reims⟦shipTo.city⟧");
    }

    #[test]
    fn a_value_without_other_brackets_needs_no_list_of_placeholders() {
        let input = json!({ "to": "⟦customer.email⟧ ⟦odd⟧", "at": [{ "a/b": "⟦shipTo.city⟧" }] });
        let found = [("/to".to_owned(), vec![0]), ("/at/0/a~1b".to_owned(), vec![0])];
        assert_eq!(Placeholders::of(&input, found), None);
        assert_eq!(Placeholders::of(&json!("plain"), []), None);
        assert_eq!(Placeholders::of(&json!("⟦customer.name⟧"), []), Some(Placeholders::default()));
    }

    #[test]
    fn a_value_contains_personal_data_only_where_a_placeholder_is_listed() {
        let value = json!({ "to": ["⟦customer.email⟧"] });
        assert!(PersonalData::are_in(&value, None));
        assert!(!PersonalData::are_in(&json!(["⟦odd⟧", 1]), None));
        assert!(!PersonalData::are_in(&value, Some(&Placeholders::default())));
        assert!(PersonalData::are_in(&value, Some(&Placeholders(BTreeMap::from([("/to/0".to_owned(), vec![0])])))));
    }

    #[test]
    fn a_shown_result_has_null_for_unreadable_data() {
        let result = json!({ "to": "⟦customer.email⟧", "street": "at ⟦shipTo.street⟧", "city": "⟦shipTo.city⟧" });
        assert_eq!(
            *personal().show_in(&result, None),
            json!({ "to": "ann@example.org", "street": null, "city": "Reims" })
        );
        let foreign = Some(Placeholders::default());
        assert_eq!(*PersonalData::default().show_in(&result, foreign.as_ref()), result);
    }

    #[test]
    fn masked_data_keep_region_and_country() {
        let to = Address { region: Some("Marne".into()), ..personal().ship_to.unwrap() };
        let left = Address { region: to.region.clone(), country: to.country.clone(), ..Address::default() };
        let whole = PersonalData { ship_to: Some(to), ..personal() };
        let expected = PersonalData { ship_to: Some(left), ..PersonalData::default() };
        assert_eq!(unmasked(&masked(&whole)), expected);
    }

    #[test]
    fn an_input_without_personal_data_has_null_and_no_placeholders() {
        let input = json!({ "to": "⟦customer.email⟧", "note": "⟦customer.email⟧", "count": 1 });
        let placeholders = Placeholders(BTreeMap::from([("/to".to_owned(), vec![0])]));
        let (filled, left) = PersonalData::without_personal_data(&input, Some(&placeholders));
        assert_eq!(filled, json!({ "to": null, "note": "⟦customer.email⟧", "count": 1 }));
        assert_eq!(left, Placeholders::default());
        let recorded = Recorded { value: input, placeholders: Some(placeholders) };
        assert!(recorded.is_personal() && !Recorded { value: filled, placeholders: Some(left) }.is_personal());
    }

    #[test]
    fn personal_data_are_empty_if_no_field_has_a_value() {
        assert!(PersonalData::default().is_empty());
        assert!(!personal().is_empty());
        assert!(!PersonalData { ship_to: Some(Address::default()), ..PersonalData::default() }.is_empty());
    }
}
