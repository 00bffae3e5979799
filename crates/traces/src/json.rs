//! The JSON form of OTLP: the messages of [`encoding`](crate::encoding), with ids in hexadecimal
//! and 64-bit numbers as texts.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::messages::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
use crate::messages::opentelemetry::proto::common::v1::{KeyValue, any_value};
use crate::messages::opentelemetry::proto::trace::v1::Span;
use crate::messages::opentelemetry::proto::trace::v1::span::{Event, Link};

/// A request as JSON.
pub fn of_request(request: &ExportTraceServiceRequest) -> Value {
    let resources = request.resource_spans.iter().map(|resource| {
        let scopes = resource.scope_spans.iter().map(|scope| {
            let named = scope.scope.as_ref();
            json!({
                "scope": named.map(|scope| json!({ "name": scope.name, "version": scope.version })),
                "spans": scope.spans.iter().map(of_span).collect::<Vec<_>>(),
            })
        });
        let attributes = resource.resource.as_ref().map(|resource| of_attributes(&resource.attributes));
        json!({ "resource": { "attributes": attributes }, "scopeSpans": scopes.collect::<Vec<_>>() })
    });
    json!({ "resourceSpans": resources.collect::<Vec<_>>() })
}

fn of_span(span: &Span) -> Value {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("traceId", hex(&span.trace_id).into());
    set("spanId", hex(&span.span_id).into());
    if !span.parent_span_id.is_empty() {
        set("parentSpanId", hex(&span.parent_span_id).into());
    }
    set("flags", span.flags.into());
    set("name", span.name.clone().into());
    set("kind", span.kind.into());
    set("startTimeUnixNano", span.start_time_unix_nano.to_string().into());
    set("endTimeUnixNano", span.end_time_unix_nano.to_string().into());
    set("attributes", of_attributes(&span.attributes));
    set("events", span.events.iter().map(of_event).collect());
    set("droppedEventsCount", span.dropped_events_count.into());
    set("links", span.links.iter().map(of_link).collect());
    if let Some(status) = &span.status {
        set("status", json!({ "code": status.code, "message": status.message }));
    }
    Value::Object(fields)
}

fn of_event(event: &Event) -> Value {
    let attributes = of_attributes(&event.attributes);
    json!({ "timeUnixNano": event.time_unix_nano.to_string(), "name": event.name, "attributes": attributes })
}

fn of_link(link: &Link) -> Value {
    json!({ "traceId": hex(&link.trace_id), "spanId": hex(&link.span_id), "flags": link.flags })
}

fn of_attributes(attributes: &[KeyValue]) -> Value {
    attributes.iter().map(|attribute| json!({ "key": attribute.key, "value": of_value(attribute) })).collect()
}

/// Tenuto writes texts, numbers and flags alone.
fn of_value(attribute: &KeyValue) -> Value {
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => json!({ "stringValue": text }),
        Some(any_value::Value::IntValue(number)) => json!({ "intValue": number.to_string() }),
        Some(any_value::Value::BoolValue(flag)) => json!({ "boolValue": flag }),
        Some(_) | None => json!({}),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
