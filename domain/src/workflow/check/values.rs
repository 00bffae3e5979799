//! Mistakes of expressions in values whose types are known: a text is compared with a number, or an address is read that an order
//! need not have.
//!
//! Only a definition that is to be registered is checked. The orders of one that was registered before go on.

use super::{Notes, Section, sections};
use crate::workflow::expression::Present;
use crate::workflow::{Expression, Step, TextPosition, Workflow};

/// Notes what the expressions of a definition get wrong.
pub(super) fn check(workflow: &Workflow, notes: &mut Notes) {
    for section in sections(workflow) {
        let reached = reached(&section);
        for (step, present) in section.steps.iter().zip(&reached) {
            if let Some(when) = &step.when {
                let path = section.path(step, ".when");
                note(&path, when.mistakes(present, true), notes);
            }
            // The input of a step is evaluated only where its guard holds.
            let mut present = present.clone();
            present.extend(step.when.iter().flat_map(Expression::implied));
            for (name, value) in &step.with {
                let path = section.path(step, &format!(".with.{name}"));
                note(&path, value.mistakes(&present, false), notes);
            }
        }
    }
    if let Some(result) = &workflow.result {
        note("result", result.mistakes(&Present::default(), false), notes);
    }
}

fn note(path: &str, mistakes: Vec<(TextPosition, String)>, notes: &mut Notes) {
    for (at, reason) in mistakes {
        notes.within(path, at, reason);
    }
}

/// What is not null once each step is reached: what the guards before it say, on every way to it. An order's data do not
/// change on the way.
fn reached(section: &Section) -> Vec<Present> {
    let guard = |step: &Step| step.when.as_ref().map(Expression::implied).unwrap_or_default();
    let guards: Vec<Present> = section.steps.iter().map(guard).collect();
    let mut reached = vec![Present::default(); guards.len()];
    // A step has more steps before it than any of those has, so this order visits each after all that come before it. For a
    // circle the result does not matter: it is refused.
    let mut forward: Vec<usize> = (0..guards.len()).collect();
    forward.sort_by_key(|step| section.graph.upstream[*step].len());
    for step in forward {
        reached[step] = on_every_way(&section.graph.after[step], &guards, &reached);
    }
    reached
}

/// What holds after each of some steps that was not skipped. A step is skipped only where all before it were.
fn on_every_way(after: &[usize], guards: &[Present], reached: &[Present]) -> Present {
    let behind = after.iter().map(|step| &guards[*step] | &reached[*step]);
    behind.reduce(|one, other| &one & &other).unwrap_or_default()
}
