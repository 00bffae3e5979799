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

use super::past::{Past, RecordedRequest};
use super::requests::{Addressee, RequestEventKind};
use super::unknown::UnknownKind;
use crate::order::Direction;
use crate::workflow::Workflow;

/// A request of the run.
pub(super) struct NewRequest<'a> {
    pub step: &'a str,
    pub direction: Direction,
    pub addressee: &'a Addressee,
    pub input: &'a Value,
}

/// The index of the recorded request that matches, or why no request matches. `taken` marks
/// recorded requests that other requests of the run matched.
pub(super) fn find(
    past: &Past,
    workflow: &Workflow,
    taken: &[bool],
    new_request: &NewRequest<'_>,
    same_input: bool,
) -> Result<usize, UnknownKind> {
    let alike = |request: &RecordedRequest| {
        request.direction == new_request.direction && request.addressee == *new_request.addressee
    };
    let mut candidates = past
        .requests
        .iter()
        .enumerate()
        .filter(|(index, request)| alike(request) && !taken.get(*index).copied().unwrap_or(true));
    if let Some((index, request)) = candidates.clone().find(|(_, request)| request.step == new_request.step) {
        let same = past.input(request) == new_request.input;
        return if same || !(same_input || input_matters(past, request)) {
            Ok(index)
        } else {
            Err(UnknownKind::OtherInput)
        };
    }
    // The step was renamed. A recorded step that the definition still has keeps its own answer.
    let is_there_still = |request: &RecordedRequest| {
        workflow
            .step(&request.step)
            .and_then(|step| Addressee::of(step, request.direction))
            .is_some_and(|addressee| addressee == request.addressee)
    };
    let renamed = candidates.find(|(_, request)| !is_there_still(request) && past.input(request) == new_request.input);
    if let Some((index, _)) = renamed {
        return Ok(index);
    }
    let ever = past.requests.iter().any(alike);
    Err(if ever { UnknownKind::OtherInput } else { UnknownKind::NeverAsked })
}

/// Whether the history shows that another input leads to another outcome.
fn input_matters(past: &Past, asked: &RecordedRequest) -> bool {
    let outcome_of = |wanted: &RecordedRequest| {
        past.request_events.iter().find_map(|event| match &event.kind {
            RequestEventKind::Concluded(outcome)
                if past.requests.get(event.request).is_some_and(|request| std::ptr::eq(request, wanted)) =>
            {
                Some(outcome)
            }
            RequestEventKind::Asked | RequestEventKind::Concluded(_) => None,
        })
    };
    let outcome = outcome_of(asked);
    let others = past
        .requests
        .iter()
        .filter(|request| request.addressee == asked.addressee && request.direction == asked.direction);
    let mut others = others.filter(|request| past.input(request) != past.input(asked));
    others.any(|other| outcome_of(other).is_some_and(|other| Some(other) != outcome))
}
