//! Backtest: a past order, run through another definition with the real decider.
//!
//! Every action is answered with what its participant answered then ([`matching`]); what operators and persons did is done again, at
//! the same point. What comes out is the same, or it differs, or it cannot be known.
//!
//! # What "the same" means
//!
//! - The order comes by the same business statuses, is undone, gets stuck and ends, in the same sequence.
//! - It asks the same participants for the same actions, and the same persons, and comes to the same outcomes. A failure for good is
//!   one outcome, whatever the words.
//! - The order of asking is compatible: no two of them have changed places, the one having been answered then before the other was
//!   asked, and the other being answered now before the one is asked. What was done side by side may be done one after the other,
//!   and the other way round.
//! - It gives the same result.
//!
//! Left out are times and how long waits last, numbers of attempts, steps that are skipped, names of steps, and inputs. What a rule
//! answers that was never asked ([`Rules`]) is left out as well: what comes of it is compared.
//!
//! An order that has not ended is compared as far as it came: what it waits for then, it has to wait for now.
//!
//! # What cannot be known
//!
//! A run goes on where an answer is missing, as far as nothing depends on it. If then and now part before, or beside it, the order
//! differs; else it cannot be known.
//!
//! # Personal data
//!
//! Inputs are recorded with placeholders, and are compared so. Guards see the real values. Where these are sealed, or erased, guards
//! still see whether there are any; where a guard looks into them, what comes of the order cannot be known.

mod ask;
mod compare;
mod give;
#[cfg(test)]
mod itself_tests;
mod matching;
#[cfg(test)]
mod matching_tests;
#[cfg(test)]
mod parting_tests;
mod past;
mod rules;
#[cfg(test)]
mod rules_tests;
mod run;
#[cfg(test)]
mod tests;
mod turns;
mod unknown;
#[cfg(test)]
mod waiting_tests;

pub use past::{NoBeginning, Past};
pub use rules::Rules;
pub use unknown::{Unknown, UnknownKind};

use ask::Whom;
use run::{Run, Source};

use crate::ids::StepId;
use crate::order::{DecideError, Direction};
use crate::workflow::{Expression, Workflow};

/// How to run an order.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Answers that nobody gave.
    pub rules: Option<Rules>,
    /// An action that is told something else than then is not known, even where nothing shows that it matters.
    pub same_input: bool,
}

/// What came of running an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Whether it is the same.
    pub verdict: Verdict,
    /// What rules answered: `participant.action`.
    pub supposed: Vec<String>,
}

/// Whether an order comes out the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Same,
    /// It does not.
    Differs(Box<Difference>),
    /// Answers are missing: these.
    Unknown(Vec<Unknown>),
}

/// Where then and now part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The step, where it is one.
    pub step: Option<StepId>,
    /// The event, by its revision then, that was decided on otherwise.
    pub revision: u64,
    /// What was decided then, in sentences; empty: nothing.
    pub then: Vec<String>,
    /// What is decided now, in sentences; empty: nothing.
    pub now: Vec<String>,
    /// Where the order stood at the end of its history.
    pub ended_then: Standing,
    /// Where it comes to now.
    pub ended_now: Standing,
}

/// Where an order stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The business status.
    pub status: String,
    /// As GraphQL spells it.
    pub state: &'static str,
    /// Nothing is missing for saying so; else it is as far as it can be known.
    pub is_known: bool,
}

/// Runs a past order through a definition.
pub fn backtest(workflow: &Workflow, past: &Past, options: &Options) -> Result<Trial, DecideError> {
    let hidden = hidden(workflow, past, options);
    if !hidden.is_empty() {
        return Ok(Trial { verdict: Verdict::Unknown(hidden), supposed: Vec::new() });
    }
    let run = Run::live(workflow, past, options)?;
    let supposed = run.asks.iter().filter(|ask| matches!(ask.source, Source::Rule(_)));
    let supposed = supposed.map(|ask| ask.whom.name()).collect();
    Ok(Trial { verdict: compare::compare(&run), supposed })
}

/// The steps that hang on personal data which cannot be read.
fn hidden(workflow: &Workflow, past: &Past, options: &Options) -> Vec<Unknown> {
    if past.placed.sealed.is_none() {
        return Vec::new();
    }
    let steps = workflow.steps.iter().chain(&workflow.compensated);
    steps
        .filter_map(|step| {
            let whom = Whom::of(step, Direction::Do)?;
            let supposed = options.rules.as_ref().is_some_and(|rules| rules.look_into_personal_data(&whom));
            let guarded = step.when.as_ref().is_some_and(Expression::looks_into_personal_data);
            (guarded || supposed).then(|| Unknown {
                step: step.id.clone(),
                direction: Direction::Do,
                whom: whom.name(),
                kind: UnknownKind::PersonalData,
            })
        })
        .collect()
}
