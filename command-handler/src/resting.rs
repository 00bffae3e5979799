//! Orders that nobody drives, kept as they were left, to save reading them again when their answers come.
//!
//! Most answers come soon, or after days. So a few thousand orders are enough, and however large each of them is, they take no more
//! than [`MAX_BYTES`]: the memory of an instance does not grow with the orders that wait.

use std::mem::size_of;
use std::num::NonZeroUsize;

use domain::ids::OrderId;
use domain::order::{Order, RecordedAnswer};
use lru::LruCache;
use serde_json::Value;

use crate::orders::LoadedOrder;

/// What all of them together may take, about.
const MAX_BYTES: usize = 32 << 20;
/// What an order takes besides what it carries: its maps, and their nodes.
const ORDER_BYTES: usize = 1_024;
/// What a step takes besides what it carries.
const STEP_BYTES: usize = 768;

/// The orders left last, within bounds.
#[derive(Debug)]
pub(crate) struct Resting {
    orders: LruCache<OrderId, Kept>,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Kept {
    order: LoadedOrder,
    bytes: usize,
}

impl Resting {
    /// At most so many orders.
    pub fn new(most: NonZeroUsize) -> Self {
        Self { orders: LruCache::new(most), bytes: 0, max_bytes: MAX_BYTES }
    }

    /// How many there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Takes one out.
    pub fn pop(&mut self, id: &OrderId) -> Option<LoadedOrder> {
        let kept = self.orders.pop(id)?;
        self.bytes -= kept.bytes;
        Some(kept.order)
    }

    /// Keeps one; those left longest ago make room.
    pub fn put(&mut self, id: OrderId, order: LoadedOrder) {
        let bytes = bytes_of(&order.state);
        self.bytes += bytes;
        if let Some((_, out)) = self.orders.push(id, Kept { order, bytes }) {
            self.bytes -= out.bytes;
        }
        while self.bytes > self.max_bytes
            && let Some((_, out)) = self.orders.pop_lru()
        {
            self.bytes -= out.bytes;
        }
    }
}

/// What an order takes in memory, about.
fn bytes_of(state: &Order) -> usize {
    let lines: usize = state.placed.lines.iter().map(|line| 128 + line.name.as_ref().map_or(0, String::len)).sum();
    let attributes: usize = state.placed.attributes.values().map(bytes_of_value).sum();
    let steps: usize = state
        .steps
        .values()
        .map(|step| {
            let taken = |taken: &RecordedAnswer| taken.key.len() + taken.outcome.as_ref().map_or(0, String::len);
            let answers: usize = step.answers.iter().map(|answer| size_of::<RecordedAnswer>() + taken(answer)).sum();
            STEP_BYTES + bytes_of_value(&step.input) + bytes_of_value(&step.data) + answers
        })
        .sum();
    ORDER_BYTES + lines + attributes + steps + bytes_of_value(&state.result)
}

fn bytes_of_value(value: &Value) -> usize {
    let carried = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes_of_value).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| size_of::<String>() + name.len() + bytes_of_value(value)).sum()
        }
    };
    size_of::<Value>() + carried
}
