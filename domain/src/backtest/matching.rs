//! Matches a request of the run with a recorded request.
//!
//! Both name the same participant, the same action and the same direction. The step has the same
//! name; or, if the step was renamed, the input is the same. A step of the same name may have
//! another input, because that is what authors change in a definition. Two rules forbid another
//! input:
//! - the caller forbids it ([`Options::same_input`](super::Options)),
//! - the history shows that the input matters: the same action with another input had another
//!   outcome.

use serde_json::Value;

use super::ask::{DeedKind, Whom};
use super::past::{Past, PastAsk};
use super::unknown::UnknownKind;
use crate::order::Direction;
use crate::workflow::Workflow;

/// A request of the run.
pub(super) struct Asking<'a> {
    pub step: &'a str,
    pub direction: Direction,
    pub whom: &'a Whom,
    pub input: &'a Value,
}

/// The index of the recorded request that matches, or why no request matches. `taken` marks
/// recorded requests that other requests of the run matched.
pub(super) fn find(
    past: &Past,
    workflow: &Workflow,
    taken: &[bool],
    asking: &Asking<'_>,
    same_input: bool,
) -> Result<usize, UnknownKind> {
    let alike = |ask: &PastAsk| ask.direction == asking.direction && ask.whom == *asking.whom;
    let mut candidates =
        past.asks.iter().enumerate().filter(|(index, ask)| alike(ask) && !taken.get(*index).copied().unwrap_or(true));
    if let Some((index, ask)) = candidates.clone().find(|(_, ask)| ask.step == asking.step) {
        let same = past.input(ask) == asking.input;
        return if same || !(same_input || input_matters(past, ask)) {
            Ok(index)
        } else {
            Err(UnknownKind::OtherInput)
        };
    }
    // The step was renamed. A recorded step that the definition still has keeps its own answer.
    let is_there_still = |ask: &PastAsk| {
        workflow.step(&ask.step).and_then(|step| Whom::of(step, ask.direction)).is_some_and(|whom| whom == ask.whom)
    };
    let renamed = candidates.find(|(_, ask)| !is_there_still(ask) && past.input(ask) == asking.input);
    if let Some((index, _)) = renamed {
        return Ok(index);
    }
    let ever = past.asks.iter().any(alike);
    Err(if ever { UnknownKind::OtherInput } else { UnknownKind::NeverAsked })
}

/// Whether the history shows that another input leads to another outcome.
fn input_matters(past: &Past, asked: &PastAsk) -> bool {
    let outcome_of = |wanted: &PastAsk| {
        past.deeds.iter().find_map(|deed| match &deed.kind {
            DeedKind::Concluded(outcome) if past.asks.get(deed.ask).is_some_and(|ask| std::ptr::eq(ask, wanted)) => {
                Some(outcome)
            }
            DeedKind::Asked | DeedKind::Concluded(_) => None,
        })
    };
    let outcome = outcome_of(asked);
    let others = past.asks.iter().filter(|ask| ask.whom == asked.whom && ask.direction == asked.direction);
    let mut others = others.filter(|ask| past.input(ask) != past.input(asked));
    others.any(|other| outcome_of(other).is_some_and(|other| Some(other) != outcome))
}
