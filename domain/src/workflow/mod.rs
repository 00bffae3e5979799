//! The definition that an order follows: steps, their actions, and their dependencies.
//!
//! [`Workflow::parse`] reads a definition from a YAML file. It checks it as a whole, and reports
//! every fault with line and column. [`Workflow::registered`] reads a registered definition, and
//! does not apply later rules to it. `workflows/schema.json` describes the format for editors.
//!
//! # When a step starts
//!
//! A step without predecessors starts when its section does. Any other step is *ready*
//! - with `join: all` (the default): once every step that it follows is completed or skipped;
//! - with `join: any`: once one of them is completed.
//!
//! A step is skipped when *all* steps that it follows were skipped. A ready step starts if its
//! guard (`when`) holds; otherwise it is skipped.
//!
//! A step sends a participant a request (`call`: the answer comes in the exchange; `request`: the
//! answer comes later), waits for a time (`wait`), or waits for a person (`await`). Every wait has
//! a deadline. After it, the step fails, or gets the outcome of `on-timeout`.
//!
//! A request can have an *interim* outcome: its step stays open for another answer. Meanwhile a
//! follower starts only if it has a guard and the guard holds. A follower without a guard, or whose
//! guard does not hold yet, waits for the answer that completes the step.
//!
//! An outcome in `compensate-on` completes its step and undoes the order: no further step of
//! `steps` starts. After every undo, the steps of `compensated` follow, by the same rules.

pub mod address;
mod check;
mod definition;
mod diagram;
mod expression;
pub(crate) mod fault;
mod meaning;
pub(crate) mod read;
pub mod suggest;
pub(crate) mod yaml;

pub use definition::{ActionRef, Final, Join, Participant, Retry, Step, Workflow};
pub(crate) use expression::UNITS;
pub use expression::{
    Comparison, DataPath, Evaluated, EvaluationError, Expression, ExpressionError, Reference, Scope, Subject,
    TextPosition,
};
pub use fault::{Fault, Faults};
pub use yaml::MAX_LENGTH as MAX_FILE_BYTES;

use fault::FaultReport;

impl Workflow {
    /// Reads and checks a definition. Reports all faults, not only the first.
    pub fn parse(source: &str) -> Result<Self, Faults> {
        Self::read(source, check::new)
    }

    /// Reads a registered definition. Later rules do not apply to it, so its orders can continue.
    pub fn registered(source: &str) -> Result<Self, Faults> {
        Self::read(source, |_, _, _| {})
    }

    fn read(source: &str, more: impl FnOnce(&Self, &yaml::Node, &mut FaultReport)) -> Result<Self, Faults> {
        let mut report = FaultReport::new(source);
        let Some(root) = yaml::load(source, &mut report) else { return report.finish(None) };
        let workflow = read::workflow(&root, source, &mut report);
        if let Some(workflow) = &workflow {
            check::all(workflow, &root, &mut report);
            more(workflow, &root, &mut report);
        }
        report.finish(workflow)
    }

    /// Hints for the author: what is allowed but rarely meant. `None`: no hints.
    pub fn hints(&self) -> Option<Faults> {
        let mut report = FaultReport::new(&self.source);
        let root = yaml::load(&self.source, &mut report)?;
        check::hints(self, &root, &mut report);
        report.finish(Some(())).err()
    }
}

#[cfg(test)]
mod tests;
