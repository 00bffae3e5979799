//! Ids are unique across both sections. Within one section, YAML keys are unique.

use super::notes::Notes;
use super::section::Section;

/// Reports the steps of `compensated` whose name `steps` uses, too.
pub(super) fn check(forward: &Section, compensated: &Section, notes: &mut Notes) {
    for step in compensated.steps.iter().filter(|step| forward.position(&step.id).is_some()) {
        let path = compensated.path(step, "");
        let line = notes.line(&forward.path(step, ""));
        notes.at_key(&path, format!("is the name of a step in 'steps' too, in line {line}"));
    }
}
