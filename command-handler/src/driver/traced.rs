//! The trace of an order: what participants receive of it, and what log lines have of it.

use domain::ids::OrderId;
use domain::trace::{SpanId, TraceContext};
use tracing::{Span, error_span};
use uuid::Uuid;

use crate::participants::ActionRequest;

/// The `traceparent` of the attempt that this event started.
pub(super) fn traceparent(order: &OrderId, trace: &TraceContext, started_by: Uuid) -> String {
    trace.traceparent(SpanId::of_attempt(order, started_by))
}

/// What log lines about an order have. The level lets no filter of lines leave it out.
pub(super) fn of_order(order: &OrderId, trace: &TraceContext, placed_by: Uuid) -> Span {
    error_span!("order", %order, trace_id = %trace.trace, span_id = %SpanId::of_order(order, placed_by))
}

/// What log lines about an attempt have.
pub(super) fn of_attempt(order: &OrderId, trace: &TraceContext, ask: &ActionRequest) -> Span {
    let span_id = ask.cause.map(|started_by| SpanId::of_attempt(order, started_by).to_string());
    error_span!("attempt", %order, trace_id = %trace.trace, span_id)
}
