//! Real orders: those of Northwind, as they stand in `tests/northwind`.

use std::collections::HashSet;
use std::fs;

use rust_decimal::Decimal;

use super::check;
use crate::json;
use crate::order::NewOrder;

fn orders() -> Vec<NewOrder> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/northwind/orders.jsonl");
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| check(&json::parse(line.as_bytes()).unwrap()).unwrap_or_else(|faults| panic!("{line}: {faults:?}")))
        .collect()
}

#[test]
fn every_order_of_northwind_is_accepted() {
    let orders = orders();
    assert_eq!(orders.len(), 830);
    assert_eq!(orders.iter().map(|order| order.lines.len()).sum::<usize>(), 2155);
    let pieces: u32 = orders.iter().flat_map(|order| &order.lines).map(|line| line.quantity).sum();
    assert_eq!(pieces, 51317);
    let turnover: Decimal = orders.iter().map(|order| order.total().unwrap()).sum();
    assert_eq!(turnover.to_string(), "1265791.21");
}

#[test]
fn no_two_orders_of_northwind_have_one_id_or_one_content() {
    let orders = orders();
    assert_eq!(orders.iter().map(|order| &order.order_id).collect::<HashSet<_>>().len(), orders.len());
    assert_eq!(orders.iter().map(NewOrder::fingerprint).collect::<HashSet<_>>().len(), orders.len());
}
