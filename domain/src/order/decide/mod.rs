//! The decider: a state and a command give events, or a refusal.
//!
//! Each command first has its own effect (one file each); [`advance`] then adds all consequences.
//! So one command is one append: the log holds "charged" and "shipping requested" together, or
//! neither. If a decision exceeds the limits of the log, the rest is a second decision, which is
//! due at once.

mod advance;
mod allowed;
mod answer;
#[cfg(test)]
mod answer_tests;
mod attempt;
mod begin;
mod cancel;
mod decision;
mod definition;
mod hand_over;
#[cfg(test)]
mod hand_over_tests;
#[cfg(test)]
mod hidden_tests;
#[cfg(test)]
mod hold_tests;
#[cfg(test)]
mod late_tests;
mod not_sent;
mod note;
mod operate;
#[cfg(test)]
mod operator_tests;
mod pause;
mod place;
mod retry;
mod scope;
#[cfg(test)]
mod scope_tests;
mod second_person;
#[cfg(test)]
mod second_person_tests;
mod signal;
#[cfg(test)]
mod size_tests;
mod skip;
#[cfg(test)]
mod tests;
mod tick;
#[cfg(test)]
mod waiting_tests;
#[cfg(test)]
mod work_tests;

pub use allowed::{Allowance, OperationKind, operations, operations_on};
pub(crate) use attempt::{MAX_RETRY_AFTER, max_slow_wait, max_wait};
pub use decision::DecideError;
pub use not_sent::MAX_UNSENT;
pub(crate) use place::place_again;
pub(crate) use scope::order_seen_by;
pub use second_person::is_by;
pub(crate) use second_person::may_settle;

use decision::Decision;

use super::command::{Command, Refusal};
use super::event::Event;
use super::limits::Limits;
use super::state::Order;
use crate::workflow::Workflow;

/// Decides a command on an order that follows `workflow`. No state: the order is not placed yet. No
/// events: nothing is to do, or it was done before. Also returns the resulting state, so that the
/// caller need not fold the events again.
pub fn decide_next(
    workflow: &Workflow,
    state: Option<&Order>,
    command: &Command,
) -> Result<(Vec<Event>, Order), DecideError> {
    decide_within(workflow, state, command, Limits::LOG)
}

/// As [`decide_next`], with the limits of another log.
pub fn decide_within(
    workflow: &Workflow,
    state: Option<&Order>,
    command: &Command,
    limits: Limits,
) -> Result<(Vec<Event>, Order), DecideError> {
    decide_with(workflow, state, command, limits, None)
}

/// As [`decide_next`], but split where a recorded decision was split, not by size. `at_once`: the
/// events of that decision before the split; `None`: it was not split.
pub(crate) fn decide_split_like(
    workflow: &Workflow,
    state: &Order,
    command: &Command,
    at_once: Option<&[Event]>,
) -> Result<(Vec<Event>, Order), DecideError> {
    decide_with(workflow, Some(state), command, UNDIVIDED, at_once)
}

/// Limits under which no decision is split. Only single values are bounded.
pub(crate) const UNDIVIDED: Limits = Limits { value: Limits::LOG.value, ..Limits::NONE };

/// The one path of every command. The limits apply before the first event is recorded.
fn decide_with(
    workflow: &Workflow,
    state: Option<&Order>,
    command: &Command,
    limits: Limits,
    at_once: Option<&[Event]>,
) -> Result<(Vec<Event>, Order), DecideError> {
    let mut decision = match (state, command) {
        (None, Command::Place(place)) => place::place(workflow, place, limits)?,
        (None, _) => return Err(Refusal::NotPlaced.into()),
        (Some(state), _) => {
            let mut decision = Decision::about(state, command.at(), limits, at_once);
            own_effect(workflow, state, command, &mut decision)?;
            decision
        }
    };
    // A repeated command changes nothing, and leaves due work to the next tick.
    if decision.events.is_empty() && !matches!(command, Command::Tick(_)) {
        return Ok((decision.events, decision.state));
    }
    advance::advance(workflow, &mut decision)?;
    if matches!(command, Command::Place(_)) {
        place::refuse_what_is_too_large(&decision)?;
    }
    Ok((decision.events, decision.state))
}

/// The own effect of a command, without consequences.
fn own_effect(
    workflow: &Workflow,
    state: &Order,
    command: &Command,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    match command {
        Command::Place(_) => Err(Refusal::AlreadyPlaced.into()),
        Command::Answer(answer) => answer::answer(workflow, state, answer, decision),
        Command::Signal(signal) => signal::signal(workflow, state, signal, decision),
        Command::Refuse(late) => signal::refusal(workflow, state, late, decision),
        Command::Operate(operate) => operate::operate(workflow, state, operate, decision),
        Command::Request(request) => second_person::request(workflow, state, request, decision),
        Command::Settle(settle) => second_person::settle(workflow, state, settle, decision),
        Command::Tick(now) => tick::tick(workflow, state, *now, decision),
        Command::HandOver(back) => hand_over::hand_over(workflow, state, back, decision),
        Command::NotSent(not_sent) => not_sent::not_sent(workflow, state, not_sent, decision),
    }
}
