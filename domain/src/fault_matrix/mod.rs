//! The fault matrix: what a workflow does when everything that can go wrong goes wrong, one thing at a time.
//!
//! It takes any definition and lives through it with the real decider, on participants that say what a script says: each step
//! answers in each way it knows, fails in each way there is, each action and each undo is repeated, an operator intervenes after
//! each decision, and a new driver that remembers nothing takes over after each decision. Each life is then looked at:
//! it has to come to an end that its own history explains (`check`).
//!
//! The idea is that of `omicron`'s test helpers for sagas: every saga inherits the tests of failure.

mod cases;
mod check;
mod life;
mod replayed;
mod script;
mod services;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::ids::StepId;
use crate::order::{Limits, NewOrder};
use crate::workflow::Workflow;

use life::Life;
use script::{Place, Script};

/// What the steps' answers carry, where an expression reads more of them than can be made up.
pub type Samples = BTreeMap<StepId, Value>;

/// What the matrix has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many lives of each kind were lived.
    pub kinds: BTreeMap<&'static str, usize>,
    /// Those that did not come to a right end.
    pub failures: Vec<Failure>,
    /// Steps that began in no life: their guards ask for another order, or for other data.
    pub never_begun: Vec<StepId>,
}

/// A life that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What was tried.
    pub case: String,
    /// What is wrong with how it went.
    pub wrong: Vec<String>,
    /// What happened, in sentences.
    pub history: Vec<String>,
}

impl Report {
    /// How many lives were lived.
    pub fn cases(&self) -> usize {
        self.kinds.values().sum()
    }
}

/// How often a step is tried at most: what is true of the last of three attempts is true of the last of a thousand.
const MAX_ATTEMPTS: u32 = 3;

/// Lives through a definition in every way. `order` is what is ordered; its workflow's name does not matter.
pub fn run(workflow: &Workflow, order: &NewOrder, samples: &Samples) -> Report {
    run_within(workflow, order, samples, Limits::LOG)
}

/// The same, on a log that takes that much at once.
fn run_within(workflow: &Workflow, order: &NewOrder, samples: &Samples, limits: Limits) -> Report {
    let workflow = &with_few_attempts(workflow);
    let order = &NewOrder { workflow: workflow.name.clone(), ..order.clone() };
    let mut matrix = Matrix { workflow, order, limits, report: Report::default(), begun: BTreeSet::new() };
    for path in cases::paths(workflow, samples) {
        matrix.explore(&path);
    }
    let steps = workflow.steps.iter().chain(&workflow.compensated);
    matrix.report.never_begun = steps.map(|step| &step.id).filter(|id| !matrix.begun.contains(*id)).cloned().collect();
    matrix.report
}

fn with_few_attempts(workflow: &Workflow) -> Workflow {
    let mut workflow = workflow.clone();
    for step in workflow.steps.iter_mut().chain(&mut workflow.compensated) {
        step.retry.attempts = step.retry.attempts.min(MAX_ATTEMPTS);
    }
    workflow
}

struct Matrix<'w> {
    workflow: &'w Workflow,
    order: &'w NewOrder,
    limits: Limits,
    report: Report,
    begun: BTreeSet<StepId>,
}

impl Matrix<'_> {
    /// One way of answering: without a fault, with each fault of each action on the way, with each intervention after each
    /// decision; and, but for the interventions, again with another driver from each decision on.
    fn explore(&mut self, path: &Script) {
        let plain = self.live(path, None);
        self.take_over(path, &plain);
        let mut seen = BTreeSet::new();
        self.fail(path, &plain, &mut seen);
        // Everything is done, and then undone: what has not been seen to yet are the undos, and what follows them.
        if let Some(late) = cases::late_cancel(path, &plain) {
            let canceled = self.live(&late, Some(&plain));
            self.take_over(&late, &canceled);
            self.fail(&late, &canceled, &mut seen);
        }
        for script in cases::interventions(path, &plain) {
            self.live(&script, Some(&plain));
        }
    }

    fn fail(&mut self, script: &Script, life: &Life, seen: &mut BTreeSet<Place>) {
        for faulty in cases::faults(self.workflow, script, life, seen) {
            let failed = self.live(&faulty, Some(life));
            self.take_over(&faulty, &failed);
        }
    }

    /// A driver that remembers nothing goes on after each decision: what it does has to lead to the same end.
    fn take_over(&mut self, script: &Script, whole: &Life) {
        for script in cases::restarts(script, whole) {
            self.live(&script, Some(whole));
        }
    }

    /// Lives one life, and looks at it. `model` is the life whose end it has to have, unless its script says otherwise.
    fn live(&mut self, script: &Script, model: Option<&Life>) -> Life {
        let life = Life::live(self.workflow, self.order, script, self.limits);
        let wrong = check::all(self.workflow, self.order, script, &life, model);
        *self.report.kinds.entry(script.kind()).or_default() += 1;
        self.begun.extend(life.begun().cloned());
        if !wrong.is_empty() {
            self.report.failures.push(Failure { case: script.to_string(), wrong, history: life.told() });
        }
        life
    }
}
