//! Every action is asked of a participant that the file names, and every one that it names is asked for something.

use std::collections::BTreeSet;

use super::{Notes, Section};
use crate::workflow::suggest::did_you_mean;
use crate::workflow::{ActionRef, Step, Workflow};

/// Notes unknown participants, and those that nobody asks for anything.
pub(super) fn check(workflow: &Workflow, sections: [&Section; 2], notes: &mut Notes) {
    let mut asked = BTreeSet::new();
    let mut all_read = !workflow.steps.is_empty();
    for section in sections {
        for step in section.steps {
            let word = if notes.has(&section.path(step, ".call")) { ".call" } else { ".request" };
            for (path, action) in actions(section, step, word) {
                asked.insert(action.participant.as_str());
                known(workflow, &path, action, notes);
            }
            all_read &= reads_whole(section, step, notes);
        }
    }
    // One that is named in an action that could not be read is not idle.
    if all_read {
        for idle in workflow.participants.keys().filter(|name| !asked.contains(name.as_str())) {
            notes.at_key(&format!("participants.{idle}"), "is not asked for anything");
        }
    }
}

fn actions<'a>(section: &Section, step: &'a Step, word: &str) -> Vec<(String, &'a ActionRef)> {
    let undo = step.undo.as_ref().map(|undo| (section.path(step, ".undo"), undo));
    [(section.path(step, word), &step.action)].into_iter().chain(undo).filter(|(_, action)| is_read(action)).collect()
}

/// Whether this is no stand-in for an action that could not be read.
fn is_read(action: &ActionRef) -> bool {
    !action.action.is_empty()
}

fn reads_whole(section: &Section, step: &Step, notes: &Notes) -> bool {
    is_read(&step.action) && (step.undo.is_some() || !notes.has(&section.path(step, ".undo")))
}

fn known(workflow: &Workflow, path: &str, action: &ActionRef, notes: &mut Notes) {
    let name = &action.participant;
    if !workflow.participants.contains_key(name) {
        let suggestion = did_you_mean(name, workflow.participants.keys().map(String::as_str));
        notes.at(path, format!("there is no participant '{name}'{suggestion}"));
    }
}
