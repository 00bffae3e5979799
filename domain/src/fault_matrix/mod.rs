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
use std::ops::ControlFlow;

use crate::ids::StepId;
use crate::order::{Limits, NewOrder};
use crate::workflow::Workflow;

pub use script::Samples;

use life::Life;
use script::{Place, Script};

/// The most lives with faults that a report describes. It counts all.
pub const MAX_FAILURES: usize = 100;

/// The results of the matrix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatrixReport {
    /// The lives of each kind.
    pub kinds: BTreeMap<&'static str, Lives>,
    /// The first lives with faults, at most [`MAX_FAILURES`].
    pub failures: Vec<Failure>,
    /// Steps that began in no life: their guards need another order, or other data.
    pub never_begun: Vec<StepId>,
}

/// How many lives there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lives {
    /// All of them.
    pub cases: usize,
    /// Those with faults.
    pub wrong: usize,
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

/// How far the matrix is.
#[derive(Debug, Clone, Copy)]
pub struct Explored<'m> {
    /// The results so far.
    pub report: &'m MatrixReport,
    /// How many paths through the outcomes are done.
    pub paths: usize,
    /// How many there are.
    pub all_paths: usize,
}

impl MatrixReport {
    /// The number of lives.
    pub fn cases(&self) -> usize {
        self.kinds.values().map(|lives| lives.cases).sum()
    }

    /// The number of lives with faults.
    pub fn wrong(&self) -> usize {
        self.kinds.values().map(|lives| lives.wrong).sum()
    }
}

/// The limit for attempts of a step. The last of three attempts behaves like the last of a
/// thousand.
const MAX_ATTEMPTS: u32 = 3;

/// Runs the matrix on a definition. `order` is the placed order; its workflow name does not matter.
pub fn run(workflow: &Workflow, order: &NewOrder, samples: &Samples) -> MatrixReport {
    run_within(workflow, order, samples, Limits::LOG, &mut |_| ControlFlow::Continue(()))
}

/// The same, watched: after each life, `watch` sees how far the matrix is. `Break` ends it.
pub fn run_watched(
    workflow: &Workflow,
    order: &NewOrder,
    samples: &Samples,
    watch: &mut dyn FnMut(Explored<'_>) -> ControlFlow<()>,
) -> MatrixReport {
    run_within(workflow, order, samples, Limits::LOG, watch)
}

/// The same, with the limits of another log.
fn run_within(
    workflow: &Workflow,
    order: &NewOrder,
    samples: &Samples,
    limits: Limits,
    watch: &mut dyn FnMut(Explored<'_>) -> ControlFlow<()>,
) -> MatrixReport {
    let workflow = &with_few_attempts(workflow);
    let order = &NewOrder { workflow: workflow.name.clone(), ..order.clone() };
    let paths = cases::paths(workflow, samples);
    let (report, begun) = (MatrixReport::default(), BTreeSet::new());
    let mut matrix = Matrix { workflow, order, limits, report, begun, watch, paths: 0, all_paths: paths.len() };
    for path in paths {
        if matrix.explore(&path).is_break() {
            break;
        }
        matrix.paths += 1;
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
    watch: &'w mut dyn FnMut(Explored<'_>) -> ControlFlow<()>,
    paths: usize,
    all_paths: usize,
}

impl Matrix<'_> {
    /// One path: without a fault, with each fault of each action, and with each intervention after
    /// each decision. Except for the interventions, each life is repeated with another driver after
    /// each decision.
    fn explore(&mut self, path: &Script) -> ControlFlow<()> {
        let plain = self.run_life(path, None)?;
        self.take_over(path, &plain)?;
        let mut seen = BTreeSet::new();
        self.fail(path, &plain, &mut seen)?;
        // Every step is done and then undone. New here are the faults of undos and of the steps
        // after them.
        if let Some(late) = cases::late_cancel(path, &plain) {
            let canceled = self.run_life(&late, Some(&plain))?;
            self.take_over(&late, &canceled)?;
            self.fail(&late, &canceled, &mut seen)?;
        }
        for script in cases::interventions(path, &plain) {
            self.run_life(&script, Some(&plain))?;
        }
        ControlFlow::Continue(())
    }

    fn fail(&mut self, script: &Script, life: &Life, seen: &mut BTreeSet<Place>) -> ControlFlow<()> {
        for faulty in cases::faults(self.workflow, script, life, seen) {
            let failed = self.run_life(&faulty, Some(life))?;
            self.take_over(&faulty, &failed)?;
        }
        ControlFlow::Continue(())
    }

    /// A driver without memory takes over after each decision, and must reach the same end.
    fn take_over(&mut self, script: &Script, whole: &Life) -> ControlFlow<()> {
        for script in cases::restarts(script, whole) {
            self.run_life(&script, Some(whole))?;
        }
        ControlFlow::Continue(())
    }

    /// Runs one life and checks it. It must end like `model`, unless its script requires another
    /// end.
    fn run_life(&mut self, script: &Script, model: Option<&Life>) -> ControlFlow<(), Life> {
        let life = Life::run(self.workflow, self.order, script, self.limits);
        let wrong = check::all(self.workflow, self.order, script, &life, model);
        let lives = self.report.kinds.entry(script.kind()).or_default();
        lives.cases += 1;
        lives.wrong += usize::from(!wrong.is_empty());
        self.begun.extend(life.begun().cloned());
        if !wrong.is_empty() && self.report.failures.len() < MAX_FAILURES {
            self.report.failures.push(Failure { case: script.to_string(), wrong, history: life.sentences() });
        }
        let Self { report, watch, paths, all_paths, .. } = self;
        watch(Explored { report, paths: *paths, all_paths: *all_paths })?;
        ControlFlow::Continue(life)
    }
}
