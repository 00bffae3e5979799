//! What is no fault, and yet is seldom meant: a step that is skipped with its guarded predecessors. An order of which all but
//! the first steps are skipped is completed, and nothing was done.

use super::{Notes, Section};
use crate::workflow::Step;

/// Notes the steps without a guard that only follow steps with one.
pub(super) fn check(section: &Section, notes: &mut Notes) {
    for step in section.steps {
        let is_guarded = |id: &String| section.position(id).is_some_and(|at| section.steps[at].when.is_some());
        if step.when.is_none() && !step.after.is_empty() && step.after.iter().all(is_guarded) {
            notes.at_key(&section.path(step, ""), hint(step));
        }
    }
}

fn hint(step: &Step) -> String {
    let (guarded, it) = (step.after.join(", "), if step.after.len() == 1 { "is" } else { "are" });
    format!(
        "is skipped where {guarded} {it} skipped, since it follows nothing else; if it has to run all the same, let it also \
         follow a step without `when`"
    )
}
