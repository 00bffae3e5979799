//! Spans as messages of OTLP.

use chrono::{DateTime, Utc};
use domain::trace::{Attribute, Kind, Span, SpanEvent, TraceId, Value};

use crate::messages::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
use crate::messages::opentelemetry::proto::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use crate::messages::opentelemetry::proto::resource::v1::Resource;
use crate::messages::opentelemetry::proto::trace::v1::span::{Event, Link, SpanKind};
use crate::messages::opentelemetry::proto::trace::v1::status::StatusCode;
use crate::messages::opentelemetry::proto::trace::v1::{self as trace, ResourceSpans, ScopeSpans, Status};

/// W3C's flag for "sampled".
const SAMPLED: u32 = 1;
/// The flag that says that it is known whether the parent is another program's.
const HAS_IS_REMOTE: u32 = 0x100;
/// The parent is another program's.
const IS_REMOTE: u32 = 0x200;

/// The request that exports spans of a deployment with this name.
pub fn request<'a>(spans: impl IntoIterator<Item = &'a Span>, service: &str) -> ExportTraceServiceRequest {
    let version = env!("CARGO_PKG_VERSION");
    let attributes = vec![text("service.name", service), text("service.version", version)];
    let resource = Some(Resource { attributes, ..Resource::default() });
    let scope = InstrumentationScope {
        name: "tenuto".to_owned(),
        version: version.to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_spans =
        ScopeSpans { scope: Some(scope), spans: spans.into_iter().map(span).collect(), ..ScopeSpans::default() };
    let resource_spans = ResourceSpans { resource, scope_spans: vec![scope_spans], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }
}

fn span(span: &Span) -> trace::Span {
    let is_remote = span.kind == Kind::Order && span.parent.is_some();
    trace::Span {
        trace_id: span.trace.bytes().to_vec(),
        span_id: span.id.bytes().to_vec(),
        parent_span_id: span.parent.map(|parent| parent.bytes().to_vec()).unwrap_or_default(),
        flags: SAMPLED | HAS_IS_REMOTE | if is_remote { IS_REMOTE } else { 0 },
        name: span.name.clone(),
        kind: kind(span.kind).into(),
        start_time_unix_nano: nanoseconds(span.start),
        end_time_unix_nano: span.end.map_or(0, nanoseconds),
        attributes: span.attributes.iter().map(attribute).collect(),
        events: span.events.iter().map(event).collect(),
        dropped_events_count: span.dropped_events,
        links: span.links.iter().map(|link| self::link(span.trace, *link)).collect(),
        status: span.error.map(|error| Status { message: error.to_owned(), code: StatusCode::Error.into() }),
        ..trace::Span::default()
    }
}

/// A participant is called as a client; all else happens in Tenuto.
fn kind(kind: Kind) -> SpanKind {
    match kind {
        Kind::Attempt => SpanKind::Client,
        Kind::Order | Kind::Compensation | Kind::Step | Kind::Wait => SpanKind::Internal,
    }
}

fn event(event: &SpanEvent) -> Event {
    Event {
        time_unix_nano: nanoseconds(event.at),
        name: event.name.to_owned(),
        attributes: event.attributes.iter().map(attribute).collect(),
        dropped_attributes_count: 0,
    }
}

fn link(trace: TraceId, link: domain::trace::Link) -> Link {
    Link {
        trace_id: trace.bytes().to_vec(),
        span_id: link.span.bytes().to_vec(),
        flags: SAMPLED | HAS_IS_REMOTE,
        ..Link::default()
    }
}

fn attribute(attribute: &Attribute) -> KeyValue {
    let value = match &attribute.value {
        Value::Text(text) => any_value::Value::StringValue(text.clone()),
        Value::Number(number) => any_value::Value::IntValue(*number),
        Value::Flag(flag) => any_value::Value::BoolValue(*flag),
    };
    key_value(attribute.name, value)
}

fn text(name: &str, value: &str) -> KeyValue {
    key_value(name, any_value::Value::StringValue(value.to_owned()))
}

fn key_value(name: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A time before 1970 or after 2554 has no such number.
fn nanoseconds(time: DateTime<Utc>) -> u64 {
    time.timestamp_nanos_opt().and_then(|nanoseconds| nanoseconds.try_into().ok()).unwrap_or(0)
}
