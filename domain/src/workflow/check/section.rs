//! A section of a definition: `steps` or `compensated`.

use std::collections::{BTreeSet, HashMap};

use crate::workflow::definition::{Step, Workflow};

/// `steps` or `compensated`, with the order of its steps.
pub(super) struct Section<'a> {
    pub name: &'static str,
    pub steps: &'a [Step],
    pub graph: Graph,
}

impl Section<'_> {
    /// The path of a step in the file, or of something within it.
    pub fn path(&self, step: &Step, within: &str) -> String {
        format!("{}.{}{within}", self.name, step.id)
    }

    pub fn position(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id == id)
    }
}

/// `steps` and `compensated`.
pub(super) fn sections(workflow: &Workflow) -> [Section<'_>; 2] {
    [("steps", &workflow.steps), ("compensated", &workflow.compensated)].map(|(name, steps)| Section {
        name,
        steps,
        graph: Graph::of(steps),
    })
}

/// Which steps each step follows, by position in the section. It omits unknown names, and the
/// step's own.
pub(super) struct Graph {
    /// By step: its direct predecessors.
    pub after: Vec<Vec<usize>>,
    /// By step: all its predecessors, direct or not.
    pub upstream: Vec<BTreeSet<usize>>,
}

impl Graph {
    pub fn of(steps: &[Step]) -> Self {
        let positions: HashMap<&str, usize> = steps.iter().enumerate().map(|(n, step)| (step.id.as_str(), n)).collect();
        let after = steps.iter().enumerate().map(|(own, step)| {
            let known = step.after.iter().filter_map(|id| positions.get(id.as_str()).copied());
            known.filter(|position| *position != own).collect()
        });
        let after: Vec<Vec<usize>> = after.collect();
        let upstream = (0..steps.len()).map(|step| upstream(&after, step)).collect();
        Self { after, upstream }
    }
}

fn upstream(after: &[Vec<usize>], step: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = after[step].clone();
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(&after[next]);
        }
    }
    found
}
