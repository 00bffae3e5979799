//! Steps that can never run: their guard can never hold, or all their predecessors never run.
//!
//! It checks only the plain form `steps.ship.outcome == 'shipped'`, alone or joined by `&&`.

use std::collections::BTreeMap;

use super::notes::Notes;
use super::section::Section;
use crate::workflow::{Comparison, Step};

/// Reports the steps of a section that can never run.
pub(super) fn check(section: &Section, forward: &Section, notes: &mut Notes) {
    let mut dead: Vec<bool> = section.steps.iter().map(|step| cannot_hold(section, forward, step, notes)).collect();
    while let Some(step) = next_dead(section, &dead) {
        dead[step] = true;
        let path = section.path(&section.steps[step], "");
        notes.at_key(&path, "can never run: no step that it follows can run");
    }
}

/// A step whose predecessors are all dead, and that is not marked as dead yet.
fn next_dead(section: &Section, dead: &[bool]) -> Option<usize> {
    let follows_only_dead = |step: &usize| {
        let after = &section.graph.after[*step];
        !after.is_empty() && after.iter().all(|before| dead[*before])
    };
    (0..dead.len()).find(|step| !dead[*step] && follows_only_dead(step))
}

/// Whether the guard of a step can never hold. Reports why, unless [`super::reads`] does.
fn cannot_hold(section: &Section, forward: &Section, step: &Step, notes: &mut Notes) -> bool {
    let Some(guard) = &step.when else { return false };
    let path = section.path(step, ".when");
    let mut wanted: BTreeMap<&str, &str> = BTreeMap::new();
    let mut never = false;
    for comparison in guard.comparisons().iter().filter(|comparison| comparison.equal && comparison.required) {
        let compared = find(section, forward, &comparison.step);
        never |= compared.is_some_and(|compared| !answers(compared, comparison));
        if section.name == forward.name
            && compared.is_some_and(|compared| compared.compensate_on.contains(&comparison.outcome))
        {
            let reason = format!("can never hold: after '{}' the order is undone", comparison.outcome);
            notes.within(&path, comparison.at, reason);
            never = true;
        }
        let earlier = *wanted.entry(&comparison.step).or_insert(&comparison.outcome);
        if earlier != comparison.outcome {
            let reason =
                format!("can never hold: the outcome cannot be '{earlier}' as well as '{}'", comparison.outcome);
            notes.within(&path, comparison.at, reason);
            never = true;
        }
    }
    never
}

/// The step of this name, as a section sees it.
fn find<'a>(section: &Section<'a>, forward: &Section<'a>, id: &str) -> Option<&'a Step> {
    section.steps.iter().chain(forward.steps).find(|step| step.id == id)
}

fn answers(step: &Step, comparison: &Comparison) -> bool {
    step.outcomes.is_empty() || step.outcomes.contains(&comparison.outcome)
}
