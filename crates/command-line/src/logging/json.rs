//! Events as JSON objects, a line each, with the names of OpenTelemetry's data model of log records
//! (`timestamp`, `severity_text`, `severity_number`, `body`, `scope`, `attributes`).

use std::fmt;

use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::fields::{is_of_the_bridge, plain_name};

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
}

impl<S: Subscriber + for<'a> LookupSpan<'a>, N: for<'a> FormatFields<'a> + 'static> FormatEvent<S, N> for Json {
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        let record = Record {
            timestamp: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
            severity_text: level.as_str(),
            severity_number: severity(level),
            body: &fields.body,
            scope: fields.scope.as_deref().unwrap_or_else(|| event.metadata().target()),
            attributes: &fields.attributes,
        };
        writeln!(writer, "{}", serde_json::to_string(&record).map_err(|_| fmt::Error)?)
    }
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
        "order" => "tenuto.order.id".to_owned(),
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
        let logs = tracing_subscriber::fmt().event_format(Json).with_writer(move || writer.clone());
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
}
