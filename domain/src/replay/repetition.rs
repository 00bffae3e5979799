//! Repeats a recorded decision.

use std::sync::Arc;

use super::{Recorded, command};
use crate::order::{Command, DecideError, Event, Limits, Order, OrderPlaced, decide_within, place_again};
use crate::workflow::{Expression, Workflow};

/// What today's decider decides in the situation of a recorded decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Again {
    /// The same events.
    Same,
    /// Other events, or an error: the reason, for people.
    Differs(Result<Vec<Event>, String>),
    /// The decision cannot be repeated: the reason, for people.
    Unknown(String),
}

/// The command that caused these events, and its decision today. If several commands are possible,
/// this is the one with the nearest decision.
pub(super) fn again(
    workflow: Option<&Workflow>,
    state: Option<&Order>,
    recorded: &[Recorded],
) -> (Option<Command>, Again) {
    let mut candidates = command::candidates(workflow, state, recorded);
    let Some(workflow) = workflow else {
        let unknown = Again::Unknown("the definition that the order began on is not in the log".to_owned());
        return (candidates.drain(..).next(), unknown);
    };
    let hidden = depends_on_hidden(workflow, state, recorded);
    let opened = state.filter(|_| hidden).map(opened);
    let states = std::iter::once(state).chain(opened.as_ref().map(Some));
    let values = [Limits::LOG.value, Limits::NONE.value];
    let ways: Vec<_> = states.flat_map(|state| values.map(|value| (state, value))).collect();
    let mut nearest: Option<(usize, Command, Result<Vec<Event>, String>)> = None;
    for command in candidates {
        for &(state, value) in &ways {
            let decided = repeat(workflow, state, &command, value, recorded).map_err(|error| error.to_string());
            let equal_events = decided.as_ref().map_or(0, |events| equal_events(events, recorded));
            if equal_events == recorded.len() && decided.as_ref().is_ok_and(|events| events.len() == equal_events) {
                return (Some(command), Again::Same);
            }
            if nearest.as_ref().is_none_or(|(most, ..)| equal_events > *most) {
                nearest = Some((equal_events, command.clone(), decided));
            }
        }
    }
    match nearest {
        Some((_, command, _)) if hidden => (Some(command), Again::Unknown(HIDDEN.to_owned())),
        Some((_, command, decided)) => (Some(command), Again::Differs(decided)),
        None => (None, Again::Differs(Err("no command begins with this event".to_owned()))),
    }
}

/// Decides without a limit for the whole decision, and splits it where the recorded one was split.
/// The limits of the log are not part of the definition, and have changed.
fn repeat(
    workflow: &Workflow,
    state: Option<&Order>,
    command: &Command,
    value: usize,
    recorded: &[Recorded],
) -> Result<Vec<Event>, DecideError> {
    let limits = Limits { value, ..Limits::NONE };
    let (mut events, _) = decide_within(workflow, state, command, limits)?;
    if let Some(placed) = total_written_like(&events, recorded) {
        (events, _) = place_again(workflow, &placed, limits, None)?;
    }
    if let Some((Recorded { event: mark @ Event::DecisionSplit(_), .. }, before)) = recorded.split_last()
        && events.len() > before.len()
    {
        events.truncate(before.len());
        events.push(mark.clone());
    }
    Ok(sealed_like(events, recorded))
}

/// The order, with its total in the recorded form: `10` instead of `10.00`, from before totals had
/// the digits of their currency. The inputs of its steps have the same form.
fn total_written_like(decided: &[Event], recorded: &[Recorded]) -> Option<OrderPlaced> {
    let (Some(Event::OrderPlaced(again)), Some(Recorded { event: Event::OrderPlaced(then), .. })) =
        (decided.first(), recorded.first())
    else {
        return None;
    };
    let rewritten = again.total == then.total && again.total.scale() != then.total.scale();
    rewritten.then(|| OrderPlaced { total: then.total, ..(**again).clone() })
}

/// Copies what cannot be decided without readable personal data: the sealed data, and the
/// fingerprint of the request.
fn sealed_like(mut decided: Vec<Event>, recorded: &[Recorded]) -> Vec<Event> {
    if let (Some(Event::OrderPlaced(again)), Some(Event::OrderPlaced(then))) =
        (decided.first_mut(), recorded.first().map(|first| &first.event))
        && then.sealed.is_some()
    {
        again.sealed.clone_from(&then.sealed);
        again.fingerprint.clone_from(&then.fingerprint);
    }
    for (again, then) in decided.iter_mut().zip(recorded) {
        with_recorded_placeholders(again, &then.event);
    }
    decided
}

/// Older events did not list their real placeholders.
fn with_recorded_placeholders(again: &mut Event, then: &Event) {
    if again.type_name() == then.type_name()
        && let Some(placeholders) = again.placeholders_mut()
    {
        *placeholders = then.placeholders().cloned();
    }
}

/// The same state, as if its personal data were readable. Their values are unknown.
fn opened(state: &Order) -> Order {
    let placed = OrderPlaced { sealed: None, ..(*state.placed).clone() };
    Order { placed: Arc::new(placed), ..state.clone() }
}

const HIDDEN: &str = "it depends on personal data that cannot be read: they were erased, or are sealed";

/// Whether the decision may depend on unreadable personal data: on a guard that reads them, or, for
/// a canceled order, on whether they were readable.
fn depends_on_hidden(workflow: &Workflow, state: Option<&Order>, recorded: &[Recorded]) -> bool {
    let sealed = match (state, recorded.first().map(|first| &first.event)) {
        (Some(state), _) => state.placed.sealed.is_some(),
        (None, Some(Event::OrderPlaced(placed))) => placed.sealed.is_some(),
        (None, _) => false,
    };
    let mut steps = workflow.steps.iter().chain(&workflow.compensated);
    let canceled = state.is_some_and(|state| state.canceled);
    sealed && (canceled || steps.any(|step| step.when.as_ref().is_some_and(Expression::looks_into_personal_data)))
}

/// How many events are equal, from the first one.
fn equal_events(decided: &[Event], recorded: &[Recorded]) -> usize {
    decided.iter().zip(recorded).take_while(|(decided, recorded)| means_the_same(decided, &recorded.event)).count()
}

/// Whether two events mean the same. The reason of a stuck order is a sentence for people, and its
/// wording has changed.
fn means_the_same(decided: &Event, recorded: &Event) -> bool {
    if let (Event::OrderStuck(decided), Event::OrderStuck(recorded)) = (decided, recorded) {
        return (&decided.step, decided.direction, decided.at) == (&recorded.step, recorded.direction, recorded.at);
    }
    decided == recorded
}
