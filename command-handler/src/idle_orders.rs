//! A cache of orders without a driver, in their last known state. It saves a read of the log when
//! the next message for an order arrives.
//!
//! Most answers arrive within minutes, or after days. So a few thousand orders are enough. Together
//! they take at most [`MAX_BYTES`]: the memory of an instance does not grow with the number of
//! waiting orders.

use std::mem::size_of;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use domain::ids::OrderId;
use domain::order::{Order, RecordedAnswer};
use lru::LruCache;
use serde_json::Value;

use crate::lock::lock;
use crate::orders::LoadedOrder;

/// The limit for the memory of all orders, estimated.
const MAX_BYTES: usize = 32 << 20;
/// The memory of an order without its content: its maps, and their nodes.
const ORDER_BYTES: usize = 1_024;
/// The memory of a step without its content.
const STEP_BYTES: usize = 768;

/// The most recently used orders, within bounds.
#[derive(Debug)]
pub(crate) struct IdleOrders(Mutex<Cache>);

#[derive(Debug)]
struct Cache {
    orders: LruCache<OrderId, Cached>,
    bytes: usize,
}

#[derive(Debug)]
struct Cached {
    order: LoadedOrder,
    bytes: usize,
}

impl IdleOrders {
    /// An empty cache for at most so many orders.
    pub fn new(max_orders: NonZeroUsize) -> Self {
        Self(Mutex::new(Cache { orders: LruCache::new(max_orders), bytes: 0 }))
    }

    /// The number of orders.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        lock(&self.0).orders.len()
    }

    /// Removes an order from the cache, and returns it.
    pub fn pop(&self, id: &OrderId) -> Option<LoadedOrder> {
        let mut cache = lock(&self.0);
        let cached = cache.orders.pop(id)?;
        cache.bytes -= cached.bytes;
        Some(cached.order)
    }

    /// Adds an order. The least recently used orders make room.
    pub fn put(&self, id: OrderId, order: LoadedOrder) {
        let mut cache = lock(&self.0);
        let bytes = bytes_of(&order.state);
        cache.bytes += bytes;
        if let Some((_, out)) = cache.orders.push(id, Cached { order, bytes }) {
            cache.bytes -= out.bytes;
        }
        while cache.bytes > MAX_BYTES
            && let Some((_, out)) = cache.orders.pop_lru()
        {
            cache.bytes -= out.bytes;
        }
    }
}

/// The estimated memory of an order.
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
