//! The trace of an order: its history as OpenTelemetry spans, for tools that show traces.
//!
//! A trace is a projection of the log. [`Tracer`] folds the events of an order one after another,
//! and returns each span when it ends. Nothing is random: the id of a span derives from the order
//! and from the id of the event that began it. So every instance, a restart, and a later projection
//! give the same spans.
//!
//! - The order's span lasts from its first event to its last one. Its parent is the span of the
//!   shop, if the shop sent a `traceparent`.
//! - A step's span lasts until its final answer, over all its attempts. The span of an undo is
//!   below that of the compensation.
//! - An attempt's span lasts until the exchange ends. The participant receives it as its parent.
//! - A wait is for a later answer, for the end of a pause, or for an operator.
//!
//! Spans hold no personal data, and no text of a participant but the outcome and the error's class.

mod context;
mod ids;
mod kind;
mod span;
mod tracer;

#[cfg(test)]
mod tests;

pub use context::{NotARatio, SampleRatio, TraceContext};
pub use ids::{SpanId, TraceId};
pub use kind::Kind;
pub use span::{Attribute, Link, Span, SpanEvent, Value};
pub use tracer::{Tracer, project};
