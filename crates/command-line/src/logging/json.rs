//! Events as JSON objects, a line each, with the names of OpenTelemetry's data model of log records
//! (`timestamp`, `severity_text`, `severity_number`, `body`, `scope`, `attributes`).

use std::fmt;

use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

use super::fields::{is_of_the_bridge, plain_name};

/// The id of an order.
const ORDER: &str = "tenuto.order.id";
/// The trace of the order; a separate field of the data model.
const TRACE_ID: &str = "trace_id";
/// The span of the order, or of an attempt; a separate field of the data model.
const SPAN_ID: &str = "span_id";

/// The format.
pub struct Json;

/// A line.
#[derive(Serialize)]
struct Record<'a> {
    timestamp: String,
    severity_text: &'static str,
    severity_number: u8,
    body: &'a str,
    /// The module that logs.
    scope: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    attributes: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<Value>,
}

/// The fields of a span of lines, as JSON.
pub struct JsonFields;

impl<'w> FormatFields<'w> for JsonFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut known = Fields::default();
        fields.record(&mut known);
        write!(writer, "{}", serde_json::to_string(&known.attributes).map_err(|_| fmt::Error)?)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> FormatEvent<S, JsonFields> for Json {
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields { attributes: of_spans(context), ..Fields::default() };
        event.record(&mut fields);
        let (trace_id, span_id) = (fields.attributes.remove(TRACE_ID), fields.attributes.remove(SPAN_ID));
        let level = *event.metadata().level();
        let record = Record {
            timestamp: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
            severity_text: level.as_str(),
            severity_number: severity(level),
            body: &fields.body,
            scope: fields.scope.as_deref().unwrap_or_else(|| event.metadata().target()),
            attributes: &fields.attributes,
            trace_id,
            span_id,
        };
        writeln!(writer, "{}", serde_json::to_string(&record).map_err(|_| fmt::Error)?)
    }
}

/// What the spans around an event say of the order that is handled. Other fields belong to the
/// libraries that have them.
fn of_spans<S: Subscriber + for<'a> LookupSpan<'a>>(context: &FmtContext<'_, S, JsonFields>) -> Map<String, Value> {
    let mut attributes = Map::new();
    for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
        let extensions = span.extensions();
        let fields = extensions.get::<FormattedFields<JsonFields>>();
        let Some(Ok(fields)) = fields.map(|fields| serde_json::from_str::<Map<String, Value>>(&fields.fields)) else {
            continue;
        };
        attributes.extend(fields.into_iter().filter(|(name, _)| [ORDER, TRACE_ID, SPAN_ID].contains(&name.as_str())));
    }
    attributes
}

/// OpenTelemetry, Logs Data Model, field `SeverityNumber`.
fn severity(level: Level) -> u8 {
    match level {
        Level::TRACE => 1,
        Level::DEBUG => 5,
        Level::INFO => 9,
        Level::WARN => 13,
        Level::ERROR => 17,
    }
}

/// The name of a field by the semantic conventions; where they have none, below `tenuto`.
fn attribute(field: &str) -> String {
    match plain_name(field) {
        "error" => "exception.message".to_owned(),
        "principal" => "enduser.id".to_owned(),
        "pid" => "process.pid".to_owned(),
        "order" => ORDER.to_owned(),
        "trace_id" => TRACE_ID.to_owned(),
        "span_id" => SPAN_ID.to_owned(),
        other => format!("tenuto.{other}"),
    }
}

/// What an event says.
#[derive(Default)]
struct Fields {
    body: String,
    /// As the bridge from the crate `log` has it.
    scope: Option<String>,
    attributes: Map<String, Value>,
}

impl Fields {
    fn take(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.body = text,
            ("log.target", Value::String(target)) => self.scope = Some(target),
            (name, _) if is_of_the_bridge(name) => {}
            (name, value) => {
                self.attributes.insert(attribute(name), value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::Lines;
    use super::*;

    #[test]
    fn an_event_is_one_object_whatever_it_says() {
        let lines = Lines::default();
        let writer = lines.clone();
        let logs =
            tracing_subscriber::fmt().fmt_fields(JsonFields).event_format(Json).with_writer(move || writer.clone());
        let hostile = "a\u{1b}[2J\r\n{\"body\": \"forged\"}\u{202e}b";
        tracing::subscriber::with_default(logs.finish(), || {
            tracing::warn!(order = hostile, error = %hostile, count = 3, r#type = ?Some(1), "it failed: {hostile}");
        });
        let written = lines.text();
        assert_eq!(written.lines().count(), 1, "{written:?}");
        let record: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(record["body"], json!(format!("it failed: {hostile}")));
        let standing = [&record["severity_text"], &record["severity_number"], &record["scope"]];
        assert_eq!(standing, [&json!("WARN"), &json!(13), &json!(module_path!())]);
        let attributes = json!({
            "tenuto.order.id": hostile, "exception.message": hostile, "tenuto.count": 3, "tenuto.type": "Some(1)",
        });
        assert_eq!(record["attributes"], attributes);
        assert!(record["timestamp"].as_str().unwrap().ends_with('Z'), "{written:?}");
    }

    #[test]
    fn a_line_about_an_order_has_its_trace_and_nothing_else_of_the_spans_around_it() {
        let lines = Lines::default();
        let writer = lines.clone();
        let logs = tracing_subscriber::fmt().fmt_fields(JsonFields).event_format(Json);
        let logs = logs.with_max_level(Level::WARN).with_writer(move || writer.clone());
        tracing::subscriber::with_default(logs.finish(), || {
            let order = tracing::error_span!("order", order = "1\n", trace_id = %"4bf9", span_id = %"00f0");
            order.in_scope(|| {
                tracing::warn!(count = 1, "of the order");
                let attempt = tracing::error_span!("attempt", order = "1\n", span_id = %"b7ad", body = "s3cret");
                attempt.in_scope(|| tracing::warn!("of the attempt"));
            });
            tracing::warn!("of none");
        });
        let records: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let ids: Vec<_> =
            records.iter().map(|record| (record["trace_id"].clone(), record["span_id"].clone())).collect();
        assert_eq!(ids, [(json!("4bf9"), json!("00f0")), (json!("4bf9"), json!("b7ad")), (Value::Null, Value::Null)]);
        assert_eq!(records[0]["attributes"], json!({ "tenuto.order.id": "1\n", "tenuto.count": 1 }));
        assert_eq!(records[1]["attributes"], json!({ "tenuto.order.id": "1\n" }));
        assert_eq!(records[2].get("attributes"), None);
    }
}
