//! The context of an order's trace (W3C Trace Context): which trace, below which span of the shop,
//! and whether it is sampled.

use std::str::FromStr;

use super::ids::{SpanId, TraceId};
use crate::ids::OrderId;

/// The bit for "sampled" in the flags.
const SAMPLED: u8 = 1;
/// The bits of an id by which a share of all traces is chosen: the last 56, as in level 2 of the
/// specification.
const RANDOM_BITS: u32 = 56;
const RANDOM: u64 = (1 << RANDOM_BITS) - 1;

/// The share of traces that are sampled, of the orders whose shops sent no decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleRatio {
    /// A trace is sampled if its random bits are at least this.
    threshold: u64,
}

/// A text is no ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a ratio is a number from 0 (no trace) to 1 (every trace)")]
pub struct NotARatio;

impl SampleRatio {
    /// Every trace.
    pub const ALL: Self = Self { threshold: 0 };

    fn samples(self, trace: TraceId) -> bool {
        let random = trace.0.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        random & RANDOM >= self.threshold
    }
}

impl Default for SampleRatio {
    fn default() -> Self {
        Self::ALL
    }
}

impl FromStr for SampleRatio {
    type Err = NotARatio;

    fn from_str(text: &str) -> Result<Self, NotARatio> {
        let ratio: f64 = text.trim().parse().map_err(|_| NotARatio)?;
        if !(0.0..=1.0).contains(&ratio) {
            return Err(NotARatio);
        }
        #[expect(clippy::cast_precision_loss, reason = "a power of two is exact")]
        let all = (1_u64 << RANDOM_BITS) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 2^56")]
        let threshold = ((1.0 - ratio) * all) as u64;
        Ok(Self { threshold })
    }
}

/// The context of an order's trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The span of the shop in which the order was placed.
    pub parent: Option<SpanId>,
    /// Whether its spans are recorded.
    pub is_sampled: bool,
}

impl TraceContext {
    /// The context of an order. With a `traceparent`, the shop has decided whether it is sampled.
    /// Without a valid one, the ratio decides, always in the same way for the same order.
    pub fn of_order(order: &OrderId, traceparent: Option<&str>, ratio: SampleRatio) -> Self {
        traceparent.and_then(Self::of_traceparent).unwrap_or_else(|| {
            let trace = TraceId::of_order(order);
            Self { trace, parent: None, is_sampled: ratio.samples(trace) }
        })
    }

    /// `00-<32 hex>-<16 hex>-<2 hex>`, lower case; later versions may have more fields.
    fn of_traceparent(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version == "ff" || (version == "00" && parts.next().is_some()) || flags.len() != 2 {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        let parent = Some(SpanId::from_hex(parent)?);
        Some(Self { trace: TraceId::from_hex(trace)?, parent, is_sampled: flags & SAMPLED != 0 })
    }

    /// The `traceparent` of requests that are made within this span.
    pub fn traceparent(&self, span: SpanId) -> String {
        format!("00-{}-{span}-{:02x}", self.trace, u8::from(self.is_sampled))
    }
}
