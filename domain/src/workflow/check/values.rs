//! Mistakes in expressions whose types are known: a text is compared with a number, or an optional
//! address is read without a test.
//!
//! Only a definition that an author registers is checked. Orders of registered definitions
//! continue.

use super::notes::Notes;
use super::section::{Section, sections};
use crate::workflow::expression::Present;
use crate::workflow::{Expression, Step, TextPosition, Workflow};

/// Reports mistakes in the expressions of a definition.
pub(super) fn check(workflow: &Workflow, notes: &mut Notes) {
    for section in sections(workflow) {
        let reached = reached(&section);
        for (step, present) in section.steps.iter().zip(&reached) {
            if let Some(when) = &step.when {
                let path = section.path(step, ".when");
                note(&path, when.mistakes(present, true), notes);
            }
            // The input of a step is evaluated only if its guard holds.
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

/// What is not null when each step is reached: what the guards on every path to it imply. An
/// order's data do not change.
fn reached(section: &Section) -> Vec<Present> {
    let guard = |step: &Step| step.when.as_ref().map(Expression::implied).unwrap_or_default();
    let guards: Vec<Present> = section.steps.iter().map(guard).collect();
    let mut reached = vec![Present::default(); guards.len()];
    // A step has more predecessors than each of them has, so this order visits predecessors first.
    // For a circle the result does not matter: it is refused.
    let mut forward: Vec<usize> = (0..guards.len()).collect();
    forward.sort_by_key(|step| section.graph.upstream[*step].len());
    for step in forward {
        reached[step] = on_every_way(&section.graph.after[step], &guards, &reached);
    }
    reached
}

/// What holds after each of these steps that ran. A step is skipped only if all steps before it
/// were.
fn on_every_way(after: &[usize], guards: &[Present], reached: &[Present]) -> Present {
    let behind = after.iter().map(|step| &guards[*step] | &reached[*step]);
    behind.reduce(|one, other| &one & &other).unwrap_or_default()
}
