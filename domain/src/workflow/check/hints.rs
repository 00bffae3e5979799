//! What is allowed but rarely meant: a step without a guard that is skipped because all steps
//! before it were skipped. If all steps but the first are skipped, the order completes although
//! nothing was done for it.

use super::notes::Notes;
use super::section::Section;
use crate::workflow::Step;

/// Reports the steps without a guard that only follow steps with one.
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
