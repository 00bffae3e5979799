//! From YAML to a [`Workflow`]: keys and types, value by value. `check` has the rules between
//! parts.
//!
//! Reading continues after a fault, so that all faults are found together. A placeholder replaces
//! what could not be read. It is never used, because a file with a fault gives no workflow.

pub(crate) mod fields;
mod step;
mod url;
pub(crate) mod values;

use std::collections::BTreeMap;

use fields::Fields;
use step::MAX_STEPS;

use super::definition::{Participant, Step, Workflow};
use super::fault::FaultReport;
use super::yaml::{Content, Entry, Node};

/// The keys of a file.
pub(super) const WORKFLOW_KEYS: [&str; 6] = ["workflow", "version", "participants", "steps", "compensated", "result"];
/// The keys of a participant.
pub(super) const PARTICIPANT_KEYS: [&str; 2] = ["url", "events"];
#[cfg(test)]
pub(super) use step::{RETRY_KEYS, STEP_KEYS};

/// The limit for participants.
const MAX_PARTICIPANTS: usize = 50;

/// Reads a definition; `None`: too little of it can be checked.
pub(super) fn workflow(root: &Node, source: &str, report: &mut FaultReport) -> Option<Workflow> {
    let fields = Fields::of(root, root.at, &WORKFLOW_KEYS, report)?;
    let name = fields.required("workflow", report).and_then(|node| values::name(node, report));
    let version = fields.required("version", report).and_then(|node| values::version(node, report));
    let participants = fields.required("participants", report).map(|node| participants(node, report));
    let steps = fields.required("steps", report);
    if steps.is_some_and(is_empty) {
        fields.fault("steps", "must hold at least one step", report);
    }
    Some(Workflow {
        name: name.unwrap_or_default(),
        version: version.unwrap_or_default(),
        participants: participants.unwrap_or_default(),
        steps: steps.map(|node| section(node, report)).unwrap_or_default(),
        compensated: fields.get("compensated").map(|node| section(node, report)).unwrap_or_default(),
        result: fields.get("result").and_then(|node| values::expression(node, report)),
        source: source.to_owned(),
    })
}

fn participants(node: &Node, report: &mut FaultReport) -> BTreeMap<String, Participant> {
    let Some(entries) = fields::entries(node, MAX_PARTICIPANTS, report) else { return BTreeMap::new() };
    let participant = |entry: &Entry| {
        values::check_name(&entry.key, entry.key_at, &entry.value.path, report);
        let fields = Fields::of(&entry.value, entry.key_at, &PARTICIPANT_KEYS, report);
        (entry.key.clone(), fields.and_then(|fields| reached(&fields, report)).unwrap_or_else(stand_in))
    };
    entries.iter().map(participant).collect()
}

/// How a participant is reached.
fn reached(fields: &Fields, report: &mut FaultReport) -> Option<Participant> {
    match (fields.get("url"), fields.get("events")) {
        (Some(url), None) => values::url(url, report).map(|url| Participant::Http { url }),
        (None, Some(events)) => {
            values::only_true(events, report);
            Some(Participant::Events)
        }
        (Some(_), Some(_)) => {
            fields.fault("events", "a participant has either 'url' or 'events', not both", report);
            None
        }
        (None, None) => {
            fields.fault_of_all("'url' is missing, or 'events: true'", report);
            None
        }
    }
}

/// Replaces a participant that could not be read.
fn stand_in() -> Participant {
    Participant::Http { url: String::new() }
}

fn is_empty(node: &Node) -> bool {
    match &node.content {
        Content::Nothing => true,
        Content::Map(entries) => entries.is_empty(),
        Content::Scalar { .. } | Content::List(_) => false,
    }
}

/// The steps under `steps` or `compensated`.
fn section(node: &Node, report: &mut FaultReport) -> Vec<Step> {
    if is_empty(node) {
        return Vec::new();
    }
    let entries = fields::entries(node, MAX_STEPS, report).unwrap_or_default();
    entries.iter().map(|entry| step::read(entry, report)).collect()
}
