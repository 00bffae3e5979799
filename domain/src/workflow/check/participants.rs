//! The file names the participant of every action, and uses every participant that it names.

use std::collections::BTreeSet;

use super::notes::Notes;
use super::section::Section;
use crate::order::Mode;
use crate::workflow::suggest::did_you_mean;
use crate::workflow::{ActionRef, Step, Workflow};

/// Reports unknown participants, and unused ones.
pub(super) fn check(workflow: &Workflow, sections: [&Section; 2], notes: &mut Notes) {
    let mut used = BTreeSet::new();
    let mut all_read = !workflow.steps.is_empty();
    for section in sections {
        for step in section.steps {
            let word = if step.mode == Mode::Call { ".call" } else { ".request" };
            for (path, action) in actions(section, step, word) {
                used.insert(action.participant.as_str());
                known(workflow, &path, action, notes);
            }
            answered_at_once(workflow, section, step, notes);
            all_read &= reads_whole(section, step, notes);
        }
    }
    // A participant in an action that could not be read may be in use.
    if all_read {
        for idle in workflow.participants.keys().filter(|name| !used.contains(name.as_str())) {
            notes.at_key(&format!("participants.{idle}"), "is not asked for anything");
        }
    }
}

/// A participant that is reached by events answers later, so its action cannot be a call.
fn answered_at_once(workflow: &Workflow, section: &Section, step: &Step, notes: &mut Notes) {
    let Some(ActionRef { participant, .. }) = step.action.as_ref().filter(|_| step.mode == Mode::Call) else { return };
    if workflow.is_reached_by_events(participant) {
        let reason = format!("'{participant}' is reached by events, so its answer comes later: 'request'");
        notes.at_key(&section.path(step, ".call"), reason);
    }
}

fn actions<'a>(section: &Section, step: &'a Step, word: &str) -> Vec<(String, &'a ActionRef)> {
    let action = step.action.as_ref().map(|action| (section.path(step, word), action));
    let undo = step.undo.as_ref().map(|undo| (section.path(step, ".undo"), undo));
    action.into_iter().chain(undo).collect()
}

/// Whether every action of the step could be read.
fn reads_whole(section: &Section, step: &Step, notes: &Notes) -> bool {
    let sends_requests = matches!(step.mode, Mode::Call | Mode::Request);
    (!sends_requests || step.action.is_some()) && (step.undo.is_some() || !notes.has(&section.path(step, ".undo")))
}

fn known(workflow: &Workflow, path: &str, action: &ActionRef, notes: &mut Notes) {
    let name = &action.participant;
    if !workflow.participants.contains_key(name) {
        let suggestion = did_you_mean(name, workflow.participants.keys().map(String::as_str));
        notes.at(path, format!("there is no participant '{name}'{suggestion}"));
    }
}
