//! The content of an order, as a shop places it.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::request::minor_units;
use crate::ids::OrderId;
use crate::json;

/// A checked order request. The JSON names are those of `POST /orders`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewOrder {
    /// The shop's own id; `None`: the command handler mints one.
    pub order_id: Option<OrderId>,
    /// The name of the workflow.
    pub workflow: String,
    /// The customer.
    pub customer: Customer,
    /// ISO 4217, three capital letters.
    pub currency: String,
    /// The lines, at least one.
    pub lines: Vec<Line>,
    /// The delivery address.
    pub ship_to: Option<Address>,
    /// Other data that the shop keeps with the order. Expressions can read it.
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

/// The customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The shop's id of the customer: not personal data.
    pub id: String,
    /// Personal data.
    pub name: Option<String>,
    /// Personal data.
    pub email: Option<String>,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Stock-keeping unit.
    pub sku: String,
    /// The name for people.
    pub name: Option<String>,
    /// The number of pieces, at least one.
    pub quantity: u32,
    /// The price of one piece in the order's currency. A discount is negative.
    pub unit_price: Decimal,
}

/// A postal address: personal data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub struct Address {
    pub name: Option<String>,
    pub street: Option<String>,
    pub city: Option<String>,
    pub region: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
}

/// Data that identify a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonalData {
    /// The customer's name.
    pub name: Option<String>,
    /// The customer's mail address.
    pub email: Option<String>,
    /// The delivery address.
    pub ship_to: Option<Address>,
}

impl NewOrder {
    /// The sum over the lines, with the digits of the currency's minor unit; `None` if a
    /// [`Decimal`] cannot hold it (about 7.9 · 10²⁸). A checked order always has an exact total.
    pub fn total(&self) -> Option<Decimal> {
        total(&self.lines, &self.currency)
    }

    /// The personal data of the order.
    pub fn personal(&self) -> PersonalData {
        let Customer { name, email, .. } = self.customer.clone();
        PersonalData { name, email, ship_to: self.ship_to.clone() }
    }

    /// SHA-256 (hex) of the content. It tells a repeated request from another one with the same id
    /// or key.
    ///
    /// It ignores the id, and what changes no meaning: the order of keys, white space, trailing
    /// zeros of a price, and `null` for optional members. The log records it, so it must stay the
    /// same for ever: a future optional field must not enter the content while it is absent.
    pub fn fingerprint(&self) -> String {
        let content = json!({
            "workflow": self.workflow,
            "customer": without_nulls(json!(self.customer)),
            "currency": self.currency,
            "lines": self.lines.iter().map(line_content).collect::<Vec<_>>(),
            "shipTo": self.ship_to.as_ref().map(|address| without_nulls(json!(address))),
            "attributes": self.attributes,
        });
        format!("{:x}", Sha256::digest(json::canonical(&without_nulls(content))))
    }
}

/// The sum over lines in a currency. It is never rounded: an order from before amounts had to fit
/// their currency keeps its digits.
pub(super) fn total(lines: &[Line], currency: &str) -> Option<Decimal> {
    let sum = lines.iter().try_fold(Decimal::ZERO, |sum, line| {
        sum.checked_add(line.unit_price.checked_mul(Decimal::from(line.quantity))?)
    })?;
    let mut total = sum.normalize();
    total.rescale(total.scale().max(minor_units(currency).unwrap_or(0)));
    Some(total)
}

fn line_content(line: &Line) -> Value {
    let mut content = without_nulls(json!(line));
    content["unitPrice"] = json!(line.unit_price.normalize().to_string());
    content
}

/// An object without its own members that are `null`. Deeper members stay.
fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        members.retain(|_, member| !member.is_null());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> NewOrder {
        serde_json::from_value(json!({
            "orderId": "10248", "workflow": "order-fulfilment",
            "customer": { "id": "VINET", "name": "Vins et alcools Chevalier" },
            "currency": "EUR",
            "lines": [ { "sku": "11", "quantity": 12, "unitPrice": "14.00" } ],
            "attributes": { "gift": true, "note": null },
        }))
        .unwrap()
    }

    #[test]
    fn the_fingerprint_is_fixed_for_ever() {
        assert_eq!(order().fingerprint(), "9c9f1ee22dbfa1f6d6e3f044fdf346dbbe62b11047c7709e3cb46991b5486a7c");
    }

    #[test]
    fn the_fingerprint_ignores_what_changes_no_meaning() {
        let mut same = order();
        same.order_id = None;
        same.lines[0].unit_price = Decimal::new(14, 0);
        same.attributes = Map::from_iter([("note".into(), Value::Null), ("gift".into(), true.into())]);
        assert_eq!(same.fingerprint(), order().fingerprint());
    }

    #[test]
    fn the_fingerprint_changes_with_each_part_of_the_content() {
        let edits: [fn(&mut NewOrder); 9] = [
            |order| order.workflow.push('x'),
            |order| order.customer.id.push('x'),
            |order| order.customer.email = Some("orders@vinet.example".into()),
            |order| order.currency = "USD".into(),
            |order| order.lines[0].quantity += 1,
            |order| order.lines[0].unit_price += Decimal::new(1, 4),
            |order| order.lines.push(order.lines[0].clone()),
            |order| order.ship_to = Some(Address::default()),
            |order| order.attributes.clear(),
        ];
        let mut seen = vec![order().fingerprint()];
        for edit in edits {
            let mut other = order();
            edit(&mut other);
            assert!(!seen.contains(&other.fingerprint()), "{other:?}");
            seen.push(other.fingerprint());
        }
    }
}
