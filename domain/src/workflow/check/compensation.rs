//! Steps of `compensated` end the compensation, so nothing undoes them.

use super::notes::Notes;
use super::section::Section;

/// Reports keys that would undo a step of `compensated`.
pub(super) fn check(compensated: &Section, notes: &mut Notes) {
    for step in compensated.steps {
        let undo = compensated.path(step, ".undo");
        if notes.has(&undo) {
            notes.at_key(&undo, "a step of 'compensated' cannot be undone");
        }
        let compensate_on = compensated.path(step, ".compensate-on");
        if notes.has(&compensate_on) {
            notes.at_key(&compensate_on, "everything is undone already when a step of 'compensated' runs");
        }
    }
}
