//! The fault matrix: what a workflow does under every possible fault, one at a time.
//!
//! It runs any definition with the real decider and scripted participants. Each step gives each
//! outcome that it knows, and fails in each possible way. Each action and each undo is repeated. An
//! operator intervenes after each decision. Another driver, without memory, takes over after each
//! decision. Each life is checked (`check`): it must reach an end that its history explains.
//!
//! The idea comes from `omicron`'s test helpers for sagas: every saga inherits the failure tests.

mod cases;
mod check;
mod life;
mod replayed;
mod script;
mod services;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::StepId;
use crate::order::{Limits, NewOrder};
use crate::workflow::Workflow;

pub use script::Samples;

use life::Life;
use script::{Place, Script};

/// The results of the matrix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatrixReport {
    /// The number of lives of each kind.
    pub kinds: BTreeMap<&'static str, usize>,
    /// The lives with faults.
    pub failures: Vec<Failure>,
    /// Steps that began in no life: their guards need another order, or other data.
    pub never_begun: Vec<StepId>,
}

/// A life with faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its script.
    pub case: String,
    /// Its faults.
    pub wrong: Vec<String>,
    /// Its events, in sentences.
    pub history: Vec<String>,
}

impl MatrixReport {
    /// The number of lives.
    pub fn cases(&self) -> usize {
        self.kinds.values().sum()
    }
}

/// The limit for attempts of a step. The last of three attempts behaves like the last of a
/// thousand.
const MAX_ATTEMPTS: u32 = 3;

/// Runs the matrix on a definition. `order` is the placed order; its workflow name does not matter.
pub fn run(workflow: &Workflow, order: &NewOrder, samples: &Samples) -> MatrixReport {
    run_within(workflow, order, samples, Limits::LOG)
}

/// The same, with the limits of another log.
fn run_within(workflow: &Workflow, order: &NewOrder, samples: &Samples, limits: Limits) -> MatrixReport {
    let workflow = &with_few_attempts(workflow);
    let order = &NewOrder { workflow: workflow.name.clone(), ..order.clone() };
    let mut matrix = Matrix { workflow, order, limits, report: MatrixReport::default(), begun: BTreeSet::new() };
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
    report: MatrixReport,
    begun: BTreeSet<StepId>,
}

impl Matrix<'_> {
    /// One path: without a fault, with each fault of each action, and with each intervention after
    /// each decision. Except for the interventions, each life is repeated with another driver after
    /// each decision.
    fn explore(&mut self, path: &Script) {
        let plain = self.run_life(path, None);
        self.take_over(path, &plain);
        let mut seen = BTreeSet::new();
        self.fail(path, &plain, &mut seen);
        // Every step is done and then undone. New here are the faults of undos and of the steps
        // after them.
        if let Some(late) = cases::late_cancel(path, &plain) {
            let canceled = self.run_life(&late, Some(&plain));
            self.take_over(&late, &canceled);
            self.fail(&late, &canceled, &mut seen);
        }
        for script in cases::interventions(path, &plain) {
            self.run_life(&script, Some(&plain));
        }
    }

    fn fail(&mut self, script: &Script, life: &Life, seen: &mut BTreeSet<Place>) {
        for faulty in cases::faults(self.workflow, script, life, seen) {
            let failed = self.run_life(&faulty, Some(life));
            self.take_over(&faulty, &failed);
        }
    }

    /// A driver without memory takes over after each decision, and must reach the same end.
    fn take_over(&mut self, script: &Script, whole: &Life) {
        for script in cases::restarts(script, whole) {
            self.run_life(&script, Some(whole));
        }
    }

    /// Runs one life and checks it. It must end like `model`, unless its script requires another
    /// end.
    fn run_life(&mut self, script: &Script, model: Option<&Life>) -> Life {
        let life = Life::run(self.workflow, self.order, script, self.limits);
        let wrong = check::all(self.workflow, self.order, script, &life, model);
        *self.report.kinds.entry(script.kind()).or_default() += 1;
        self.begun.extend(life.begun().cloned());
        if !wrong.is_empty() {
            self.report.failures.push(Failure { case: script.to_string(), wrong, history: life.sentences() });
        }
        life
    }
}
