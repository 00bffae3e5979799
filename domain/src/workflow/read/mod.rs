//! From YAML to a [`Workflow`]: keys and types, value by value. What holds between parts is for `check`.
//!
//! Reading goes on after a fault, so that all are found at once; a stand-in then takes the place of what could not be read. It
//! never gets out, because a file with a fault gives no workflow.

mod fields;
mod step;
mod url;
mod values;

use std::collections::BTreeMap;

use fields::Fields;

use super::fault::Report;
use super::yaml::{Content, Entry, Node};
use super::{Participant, Step, Workflow};

/// The keys of a file.
pub(super) const WORKFLOW_KEYS: [&str; 6] = ["workflow", "version", "participants", "steps", "compensated", "result"];
/// The keys of a participant.
pub(super) const PARTICIPANT_KEYS: [&str; 1] = ["url"];
#[cfg(test)]
pub(super) use step::{RETRY_KEYS, STEP_KEYS};

/// The most steps of one section.
const MAX_STEPS: usize = 200;
/// The most participants.
const MAX_PARTICIPANTS: usize = 50;

/// Reads a definition. Nothing comes back where there is too little to check.
pub(super) fn workflow(root: &Node, source: &str, report: &mut Report) -> Option<Workflow> {
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

fn participants(node: &Node, report: &mut Report) -> BTreeMap<String, Participant> {
    let Some(entries) = fields::entries(node, MAX_PARTICIPANTS, report) else { return BTreeMap::new() };
    let participant = |entry: &Entry| {
        values::check_name(&entry.key, entry.key_at, &entry.value.path, report);
        let fields = Fields::of(&entry.value, entry.key_at, &PARTICIPANT_KEYS, report);
        let url = fields.and_then(|fields| fields.required("url", report)).and_then(|url| values::url(url, report));
        (entry.key.clone(), Participant { url: url.unwrap_or_default() })
    };
    entries.iter().map(participant).collect()
}

fn is_empty(node: &Node) -> bool {
    match &node.content {
        Content::Nothing => true,
        Content::Map(entries) => entries.is_empty(),
        Content::Scalar { .. } | Content::List(_) => false,
    }
}

/// The steps under `steps` or `compensated`.
fn section(node: &Node, report: &mut Report) -> Vec<Step> {
    if is_empty(node) {
        return Vec::new();
    }
    let entries = fields::entries(node, MAX_STEPS, report).unwrap_or_default();
    entries.iter().map(|entry| step::read(entry, report)).collect()
}
