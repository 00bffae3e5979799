//! What a shop asks for when it places an order.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::OrderId;

/// A checked order request. JSON names are those of `POST /orders`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewOrder {
    /// The shop's own id, or none: then one is minted.
    pub order_id: Option<OrderId>,
    /// The name of the workflow to follow.
    pub workflow: String,
    /// Who orders.
    pub customer: Customer,
    /// ISO 4217, three capital letters.
    pub currency: String,
    /// What is ordered: at least one line.
    pub lines: Vec<Line>,
    /// Where it goes.
    pub ship_to: Option<Address>,
    /// Whatever else the shop wants to keep with the order; expressions can read it.
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

/// Who orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The shop's id of the customer: not personal data.
    pub id: String,
    /// Personal.
    pub name: Option<String>,
    /// Personal.
    pub email: Option<String>,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Stock-keeping unit.
    pub sku: String,
    /// What people call it.
    pub name: Option<String>,
    /// Pieces, at least one.
    pub quantity: u32,
    /// Price of one piece, in the order's currency.
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

impl NewOrder {
    /// The sum over the lines, exact; `None` where it exceeds what a [`Decimal`] holds (about 7.9 · 10²⁸).
    pub fn total(&self) -> Option<Decimal> {
        self.lines.iter().try_fold(Decimal::ZERO, |sum, line| {
            sum.checked_add(line.unit_price.checked_mul(Decimal::from(line.quantity))?)
        })
    }
}
