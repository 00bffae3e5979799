//! Checks the body of `POST /orders` as a whole: it reports every violation at once, each with its
//! place, what was found and what is allowed.
//!
//! An unknown field is a violation, because it may be a typo. `null` counts as a missing field.

mod attributes;
mod currency;
pub mod limits;
mod price;
mod reader;
mod text;

#[cfg(test)]
mod northwind_tests;
#[cfg(test)]
mod tests;

use rust_decimal::Decimal;
use serde_json::Value;

use super::content::{Address, Customer, Line, NewOrder, total};
use crate::ids::OrderId;
use reader::{Checked, Node, ViolationReport};

pub use currency::CODES as CURRENCIES;
pub(super) use currency::minor_units;
pub use reader::Violation;

/// The limit for lines of one order.
pub const MAX_LINES: usize = 500;
/// The limit for pieces in one line.
pub const MAX_QUANTITY: u32 = 1_000_000;

/// Reads a JSON value as an order, or returns all violations: the list is never empty.
pub fn check(value: &Value) -> Result<NewOrder, Vec<Violation>> {
    let mut report = ViolationReport::default();
    match order(Node::root(value), &mut report) {
        Ok(order) if report.is_empty() => Ok(order),
        _ => Err(report.into_violations()),
    }
}

fn order(node: Node, report: &mut ViolationReport) -> Checked<NewOrder> {
    let fields =
        node.fields(&["orderId", "workflow", "customer", "currency", "lines", "shipTo", "attributes"], report)?;
    let order_id = fields.optional("orderId", report, |node, report| {
        node.text(report, |text| OrderId::new(text).map_err(|error| error.to_string()))
    });
    let workflow = fields.required("workflow", report, |node, report| node.text(report, text::name));
    let customer = fields.required("customer", report, customer);
    let currency = fields.required("currency", report, |node, report| node.text(report, currency::code));
    let in_currency = currency.as_ref().ok().map(String::as_str);
    let lines = fields.required("lines", report, |node, report| lines(node, in_currency, report));
    let ship_to = fields.optional("shipTo", report, address);
    let attributes = fields.optional("attributes", report, attributes::attributes);
    Ok(NewOrder {
        order_id: order_id?,
        workflow: workflow?,
        customer: customer?,
        currency: currency?,
        lines: lines?,
        ship_to: ship_to?,
        attributes: attributes?.unwrap_or_default(),
    })
}

fn customer(node: Node, report: &mut ViolationReport) -> Checked<Customer> {
    let fields = node.fields(&["id", "name", "email"], report)?;
    let id =
        fields.required("id", report, |node, report| node.text(report, |text| text::id(text, limits::MAX_CUSTOMER_ID)));
    let name = fields.optional("name", report, short_text);
    let email = fields.optional("email", report, |node, report| node.text(report, text::email));
    Ok(Customer { id: id?, name: name?, email: email? })
}

fn lines(node: Node, currency: Option<&str>, report: &mut ViolationReport) -> Checked<Vec<Line>> {
    let items = node.items(1..=MAX_LINES, report)?;
    let lines: Vec<Checked<Line>> = items.map(|item| line(item, currency, report)).collect();
    let lines: Vec<Line> = lines.into_iter().collect::<Checked<_>>()?;
    let total = total(&lines, currency.unwrap_or_default());
    if let Some(total) = total.filter(Decimal::is_sign_negative) {
        let detail = format!(
            "the total must not be negative, found {total}; discounts must not exceed the sum of the other lines"
        );
        return Err(node.violation(detail, report));
    }
    Ok(lines)
}

fn line(node: Node, currency: Option<&str>, report: &mut ViolationReport) -> Checked<Line> {
    let fields = node.fields(&["sku", "name", "quantity", "unitPrice"], report)?;
    let sku = fields.required("sku", report, |node, report| node.text(report, |text| text::id(text, limits::MAX_SKU)));
    let name = fields.optional("name", report, short_text);
    let quantity = fields.required("quantity", report, |node, report| node.integer(1..=MAX_QUANTITY, report));
    let unit_price = fields.required("unitPrice", report, |node, report| price::price(node, currency, report));
    Ok(Line { sku: sku?, name: name?, quantity: quantity?, unit_price: unit_price? })
}

fn address(node: Node, report: &mut ViolationReport) -> Checked<Address> {
    let fields = node.fields(&["name", "street", "city", "region", "postalCode", "country"], report)?;
    let mut field = |name| fields.optional(name, report, short_text);
    let (name, street, city) = (field("name"), field("street"), field("city"));
    let (region, postal_code, country) = (field("region"), field("postalCode"), field("country"));
    Ok(Address {
        name: name?,
        street: street?,
        city: city?,
        region: region?,
        postal_code: postal_code?,
        country: country?,
    })
}

fn short_text(node: Node, report: &mut ViolationReport) -> Checked<String> {
    node.text(report, |text| text::printable(text, limits::MAX_SHORT_TEXT))
}
