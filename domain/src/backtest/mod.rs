//! Backtest: runs a past order through another definition with the real decider.
//!
//! The run answers each action as its participant answered in the history (`matching`). It
//! repeats what operators and persons did at the same points. The verdict is "same", "differs" or
//! "unknown".
//!
//! # What "the same" means
//!
//! - The order takes the same business statuses, is undone, gets stuck and ends, in the same
//!   sequence.
//! - It sends the same actions to the same participants, waits for the same persons, and gets the
//!   same outcomes. A failure for good counts as one outcome, with any error text.
//! - The order of requests is compatible. Two requests are not reversed: the history concluded the
//!   first before it sent the second, and the run concludes the second before it sends the first.
//!   Parallel requests may become serial, and serial requests parallel.
//! - It gives the same result.
//!
//! The comparison ignores times, lengths of waits, numbers of attempts, skipped steps, names of
//! steps, and inputs. It also ignores the request that a rule answers and that was never sent
//! ([`Rules`]); the consequences of that answer are compared.
//!
//! An order that has not ended is compared up to its last event: the run must wait for the same.
//!
//! # What is unknown
//!
//! A run without an answer continues as far as nothing depends on that answer. If it differs from
//! the history before that, or on a parallel branch, the verdict is "differs"; otherwise it is
//! "unknown".
//!
//! # Personal data
//!
//! Inputs are recorded with placeholders, and the comparison uses the placeholders. Guards read the
//! real values. If these are sealed or erased, a guard still reads whether they exist. If a guard
//! reads more than that, the verdict is "unknown".

mod commands;
mod compare;
#[cfg(test)]
mod difference_tests;
#[cfg(test)]
mod itself_tests;
mod matching;
#[cfg(test)]
mod matching_tests;
mod options;
mod past;
mod requests;
mod rules;
#[cfg(test)]
mod rules_tests;
mod run;
#[cfg(test)]
mod tests;
mod turns;
mod unknown;
mod verdict;
#[cfg(test)]
mod waiting_tests;

pub use options::Options;
pub use past::{NoBeginning, Past};
pub use rules::Rules;
pub use unknown::{Unknown, UnknownKind};
pub use verdict::{Difference, Standing, Verdict};

use requests::Addressee;
use run::{Run, Source};

use crate::order::{DecideError, Direction};
use crate::workflow::{Expression, Workflow};

/// The result of running an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Whether the run equals the history.
    pub verdict: Verdict,
    /// The actions that rules answered: `participant.action`.
    pub supposed: Vec<String>,
}

/// Runs a past order through a definition.
pub fn backtest(workflow: &Workflow, past: &Past, options: &Options) -> Result<Trial, DecideError> {
    let hidden = hidden(workflow, past, options);
    if !hidden.is_empty() {
        return Ok(Trial { verdict: Verdict::Unknown(hidden), supposed: Vec::new() });
    }
    let run = Run::execute(workflow, past, options)?;
    let supposed = run.requests.iter().filter(|request| matches!(request.source, Source::Rule(_)));
    let supposed = supposed.map(|request| request.addressee.name()).collect();
    Ok(Trial { verdict: compare::compare(&run), supposed })
}

/// The steps that depend on personal data which cannot be read.
fn hidden(workflow: &Workflow, past: &Past, options: &Options) -> Vec<Unknown> {
    if past.placed.sealed.is_none() {
        return Vec::new();
    }
    let steps = workflow.steps.iter().chain(&workflow.compensated);
    steps
        .filter_map(|step| {
            let addressee = Addressee::of(step, Direction::Do)?;
            let supposed = options.rules.as_ref().is_some_and(|rules| rules.look_into_personal_data(&addressee));
            let guarded = step.when.as_ref().is_some_and(Expression::looks_into_personal_data);
            (guarded || supposed).then(|| Unknown {
                step: step.id.clone(),
                direction: Direction::Do,
                addressee: addressee.name(),
                kind: UnknownKind::PersonalData,
            })
        })
        .collect()
}
