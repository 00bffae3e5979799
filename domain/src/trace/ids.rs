//! The ids of traces and spans. They derive from recorded ids, and are never zero.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::kind::Kind;
use crate::ids::OrderId;

/// Distinguishes these ids from other hashes of an order's id.
const NAMESPACE: &str = "tenuto.trace";

/// The id of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(pub(super) [u8; 16]);

/// The id of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(pub(super) [u8; 8]);

impl TraceId {
    /// The trace of an order whose shop sent none.
    pub(super) fn of_order(order: &OrderId) -> Self {
        Self(nonzero(first(&[order.as_str()])))
    }

    /// The bytes.
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// From 32 hexadecimal digits, unless they are all zero.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        bytes_of(text).filter(|id| *id != [0; 16]).map(Self)
    }
}

impl SpanId {
    /// The span of this kind that an event begins.
    pub(super) fn of(order: &OrderId, kind: Kind, begun_by: Uuid) -> Self {
        Self(nonzero(first(&[order.as_str(), kind.as_str(), &begun_by.to_string()])))
    }

    /// The span of the order that this event placed.
    pub fn of_order(order: &OrderId, placed_by: Uuid) -> Self {
        Self::of(order, Kind::Order, placed_by)
    }

    /// The span of the attempt that this event started.
    pub fn of_attempt(order: &OrderId, started_by: Uuid) -> Self {
        Self::of(order, Kind::Attempt, started_by)
    }

    /// The bytes.
    pub fn bytes(self) -> [u8; 8] {
        self.0
    }

    /// From 16 hexadecimal digits, unless they are all zero.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        bytes_of(text).filter(|id| *id != [0; 8]).map(Self)
    }
}

/// The first bytes of SHA-256 over the parts, one in each line.
fn first<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut digest = Sha256::new();
    digest.update(NAMESPACE);
    for part in parts {
        digest.update(b"\n");
        digest.update(part);
    }
    let digest = digest.finalize();
    std::array::from_fn(|index| digest[index])
}

/// Zero means "no id" to every tool.
fn nonzero<const N: usize>(mut id: [u8; N]) -> [u8; N] {
    if id == [0; N] {
        id[N - 1] = 1;
    }
    id
}

fn bytes_of<const N: usize>(hex: &str) -> Option<[u8; N]> {
    if hex.len() != 2 * N || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}
