//! What the counters of orders must be, from the raw events of the log. This reads their JSON, and
//! shares no code with what counts them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::ids::OrderId;
use event_store::EventStore;
use serde_json::Value;

use super::Samples;

/// Where a request to a participant stands.
#[derive(Clone, PartialEq)]
enum Request {
    InFlight,
    Accepted,
}

#[derive(Default)]
struct Step {
    began: Option<DateTime<Utc>>,
    /// By direction: the participant and the action of the last request.
    asked: BTreeMap<String, (String, String)>,
    request: Option<(String, Request)>,
}

#[derive(Default)]
struct OneOrder {
    workflow: String,
    version: String,
    status: String,
    placed: Option<DateTime<Utc>>,
    steps: BTreeMap<String, Step>,
}

/// The samples that the counters of all instances together must have.
pub async fn from_log(log: &str) -> Samples {
    let mut all = EventStore::connect(log).unwrap().history(None);
    let mut orders: BTreeMap<OrderId, OneOrder> = BTreeMap::new();
    let mut samples = Samples::new();
    while let Some(record) = all.next().await.unwrap() {
        if let Some(id) = OrderId::from_stream(&record.event.stream) {
            let data = serde_json::from_slice(&record.event.data).unwrap();
            orders.entry(id).or_default().add(&record.event.event_type, &data, &mut samples);
        }
    }
    samples
}

fn count(samples: &mut Samples, name: &str, labels: &[(&str, &str)]) {
    add(samples, name, labels, 1.0);
}

fn add(samples: &mut Samples, name: &str, labels: &[(&str, &str)], value: f64) {
    let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
    *samples.entry(format!("{name}{{{}}}", labels.join(","))).or_default() += value;
}

fn time(of: &Value) -> DateTime<Utc> {
    of["at"].as_str().unwrap().parse().unwrap()
}

fn text<'a>(data: &'a Value, name: &str) -> &'a str {
    data[name].as_str().unwrap_or_default()
}

fn is(data: &Value, name: &str) -> bool {
    data[name] == true
}

impl OneOrder {
    fn add(&mut self, kind: &str, data: &Value, samples: &mut Samples) {
        count(samples, "tenuto_order_events_total", &[("type", kind)]);
        let workflow = [("workflow", self.workflow.clone())];
        let of = |more: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
            let more = more.iter().map(|(label, value)| (*label, (*value).to_owned()));
            workflow.iter().cloned().chain(more).collect()
        };
        let step = text(data, "step");
        match kind {
            "OrderPlaced" => {
                text(&data["workflow"], "name").clone_into(&mut self.workflow);
                self.version = data["workflow"]["version"].to_string();
                text(data, "status").clone_into(&mut self.status);
                self.placed = Some(time(data));
                let labels = [("workflow", self.workflow.as_str()), ("version", &self.version)];
                count(samples, "tenuto_orders_placed_total", &labels);
            }
            "StatusChanged" => text(data, "status").clone_into(&mut self.status),
            "OrderCompleted" | "OrderCanceled" => {
                let state = if kind == "OrderCompleted" { "COMPLETED" } else { "CANCELED" };
                let Self { workflow, version, status, .. } = &*self;
                let labels =
                    [("workflow", workflow.as_str()), ("version", version), ("state", state), ("status", status)];
                count(samples, "tenuto_orders_ended_total", &labels);
                let took = (time(data) - self.placed.unwrap()).as_seconds_f64();
                let labels = [("workflow", workflow.as_str()), ("state", state)];
                count(samples, "tenuto_order_duration_seconds_count", &labels);
                add(samples, "tenuto_order_duration_seconds_sum", &labels, took);
            }
            "OrderStuck" => count_all(samples, "tenuto_orders_stuck_total", &of(&[("step", step)])),
            "CompensationStarted" => count_all(samples, "tenuto_compensations_started_total", &of(&[])),
            "CompensationCompleted" => count_all(samples, "tenuto_compensations_completed_total", &of(&[])),
            "WaitStarted" => self.begin(step, data),
            "StepStarted" => {
                self.begin(step, data);
                let (participant, direction) = (text(data, "participant"), text(data, "direction"));
                let labels = of(&[("step", step), ("participant", participant), ("direction", direction)]);
                count_all(samples, "tenuto_attempts_total", &labels);
                if data["attempt"].as_u64().unwrap() > 1 {
                    count_all(samples, "tenuto_retries_total", &labels);
                }
                let known = self.steps.get_mut(step).unwrap();
                let asked = (participant.to_owned(), text(data, "action").to_owned());
                known.asked.insert(direction.to_owned(), asked);
                known.request = Some((direction.to_owned(), Request::InFlight));
            }
            "StepAccepted" | "StepCompleted" | "StepAttemptFailed" | "StepFailed" => {
                self.result(kind, data, samples);
            }
            _ => {}
        }
    }

    fn begin(&mut self, step: &str, data: &Value) {
        self.steps.entry(step.to_owned()).or_default().began.get_or_insert_with(|| time(data));
    }

    /// What became of a request.
    fn result(&mut self, kind: &str, data: &Value, samples: &mut Samples) {
        let id = text(data, "step");
        let direction = data["direction"].as_str().unwrap_or("do");
        let step = self.steps.entry(id.to_owned()).or_default();
        let class = class_of(kind, data);
        let stood = step.request.clone().filter(|(of, _)| of == direction).map(|(_, request)| request);
        step.request = match kind {
            "StepAccepted" => Some((direction.to_owned(), Request::Accepted)),
            "StepCompleted" if data["openUntil"].is_string() => Some((direction.to_owned(), Request::Accepted)),
            _ => None,
        };
        if let (Some(class), Some(request), Some((participant, action))) = (class, stood, step.asked.get(direction)) {
            let labels = [
                ("workflow", self.workflow.as_str()),
                ("step", id),
                ("participant", participant),
                ("direction", direction),
                ("class", class),
            ];
            count(samples, "tenuto_attempt_results_total", &labels);
            if request == Request::InFlight && direction == "do" && !["lost", "unsent"].contains(&class) {
                let labels = [("participant", participant.as_str()), ("action", action)];
                count(samples, "tenuto_call_duration_seconds_count", &labels);
            }
        }
        let labels = [("workflow", self.workflow.as_str()), ("step", id)];
        if kind == "StepCompleted" && direction == "do" && !data["openUntil"].is_string() {
            let took = (time(data) - step.began.unwrap()).as_seconds_f64();
            count(samples, "tenuto_step_duration_seconds_count", &labels);
            add(samples, "tenuto_step_duration_seconds_sum", &labels, took);
        }
        if kind == "StepFailed" && direction == "do" && is(data, "misconfigured") {
            count(samples, "tenuto_steps_held_total", &labels);
        }
    }
}

fn count_all(samples: &mut Samples, name: &str, labels: &[(&'static str, String)]) {
    let labels: Vec<(&str, &str)> = labels.iter().map(|(label, value)| (*label, value.as_str())).collect();
    count(samples, name, &labels);
}

fn class_of(kind: &str, data: &Value) -> Option<&'static str> {
    let error = text(data, "error");
    match kind {
        "StepAccepted" => Some("accepted"),
        "StepCompleted" => data["basis"].is_null().then_some("ok"),
        _ if is(data, "lost") => Some("lost"),
        _ if is(data, "unsent") => Some("unsent"),
        _ if is(data, "misconfigured") => Some("misconfigured"),
        "StepAttemptFailed" => Some("transient"),
        _ if data["answerKey"].is_string() => Some("permanent"),
        _ if error.starts_with("given up") => Some("given_up"),
        _ if error.starts_with("no answer was recorded") || error.starts_with("handed over") => Some("lost"),
        _ if error == "no answer in time" || error.starts_with("nothing followed") => Some("timeout"),
        _ if error.ends_with(", the last)") => Some("transient"),
        _ if error.starts_with("`w") => None,
        _ => Some("permanent"),
    }
}
