//! The order of the steps of a section: known steps only, each once, without circles.

use std::collections::{BTreeSet, HashMap};

use super::notes::Notes;
use super::section::{Graph, Section};
use crate::workflow::suggest::did_you_mean;

/// Reports wrong names in `after`, and circles.
pub(super) fn check(section: &Section, other: &Section, notes: &mut Notes) {
    for step in section.steps {
        for (index, id) in step.after.iter().enumerate() {
            if notes.is_full() {
                return;
            }
            let path = section.path(step, &format!(".after[{index}]"));
            if *id == step.id {
                notes.at(&path, "a step cannot follow itself");
            } else if step.after[..index].contains(id) {
                notes.at(&path, format!("'{id}' is named twice"));
            } else if section.position(id).is_none() {
                notes.at(&path, unknown(id, section, other));
            }
        }
    }
    circles(section, notes);
}

fn unknown(id: &str, section: &Section, other: &Section) -> String {
    if other.position(id).is_some() {
        return format!("'{id}' is a step of '{}': a step follows only steps of its own section", other.name);
    }
    let suggestion = did_you_mean(id, section.steps.iter().map(|step| step.id.as_str()));
    format!("there is no step '{id}'{suggestion}")
}

/// Reports each circle once, at its first step in the file.
fn circles(section: &Section, notes: &mut Notes) {
    let mut seen = BTreeSet::new();
    for first in 0..section.steps.len() {
        let in_circle = |step: &usize| section.graph.upstream[*step].contains(step);
        if in_circle(&first) && !seen.contains(&first) {
            let circle = circle(&section.graph, first);
            seen.extend(section.graph.upstream[first].iter().copied().filter(in_circle));
            note_circle(section, &circle, notes);
        }
    }
}

/// A path from a step back to itself; each step follows the one before it in the list.
fn circle(graph: &Graph, first: usize) -> Vec<usize> {
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut open = std::collections::VecDeque::from([first]);
    while let Some(step) = open.pop_front() {
        if graph.after[step].contains(&first) {
            let mut way = vec![step];
            while let Some(previous) = way.last().filter(|last| **last != first).and_then(|last| came_from.get(last)) {
                way.push(*previous);
            }
            way.rotate_right(1);
            return way;
        }
        for next in &graph.after[step] {
            if !came_from.contains_key(next) {
                came_from.insert(*next, step);
                open.push_back(*next);
            }
        }
    }
    vec![first]
}

fn note_circle(section: &Section, circle: &[usize], notes: &mut Notes) {
    let [first, .., last] = circle else { return };
    let ids: Vec<&str> = circle.iter().chain([first]).map(|step| section.steps[*step].id.as_str()).collect();
    let step = &section.steps[*first];
    let index = step.after.iter().position(|id| *id == section.steps[*last].id).unwrap_or_default();
    notes.at(&section.path(step, &format!(".after[{index}]")), format!("forms a circle: {}", ids.join(" → ")));
}
