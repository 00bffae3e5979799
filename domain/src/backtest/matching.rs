//! Which of the things asked then is what is asked now.
//!
//! The same participant for the same action, in the same direction; and either by the step of the same name, or, where a step is
//! called otherwise now, with the same input. The input of a step of the same name may differ, since definitions are changed in
//! just that; but not where it matters:
//! - where the caller says that it does ([`Options::same_input`](super::Options)),
//! - or where the history itself shows that it does: the same action, asked elsewhere in it with another input, had another outcome.

use serde_json::Value;

use super::ask::{DeedKind, Whom};
use super::past::{Past, PastAsk};
use super::unknown::UnknownKind;
use crate::order::Direction;
use crate::workflow::Workflow;

/// Something that is asked now.
pub(super) struct Asking<'a> {
    pub step: &'a str,
    pub direction: Direction,
    pub whom: &'a Whom,
    pub input: &'a Value,
}

/// The ask of the past that this one is, by its index; otherwise why it is none. `taken`: those that others are.
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
    // A step that is called otherwise now. One that there still is waits for its own answer.
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

/// Whether the history shows that what is told changes what is answered.
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
