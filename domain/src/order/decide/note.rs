//! An operator leaves a note.

use super::decision::{DecideError, Decision};
use crate::order::command::{Operate, Refusal};
use crate::order::event::{Event, OrderNoted};
use crate::order::state::Order;

/// The limit of notes of one order: a client in a loop must not fill its history.
const MAX_NOTES: u32 = 1_000;

/// An order takes notes until its end, which is its last event.
pub(super) fn note(state: &Order, operate: &Operate, decision: &mut Decision) -> Result<(), DecideError> {
    if state.ended() {
        return Err(Refusal::NotNow { operation: operate.operation.as_str(), state: state.state() }.into());
    }
    if state.notes >= MAX_NOTES {
        return Err(Refusal::TooManyNotes { count: state.notes }.into());
    }
    decision.record(Event::OrderNoted(OrderNoted { at: decision.at }))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::MAX_NOTES;
    use crate::order::decide::tests::workflow;
    use crate::order::{Operation, Order, Refusal, State};
    use crate::testing::{Story, done, misconfigured, order};

    const ONE: &str = "steps:\n  go: { call: p.go, undo: p.come_back, retry: { attempts: 1 } }";

    #[test]
    fn a_note_changes_nothing_but_its_number_and_the_time_of_the_last_event() {
        let workflow = workflow(ONE);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        let mut paused = story.clone();
        paused.operate(Operation::Pause).whatever();
        let mut stuck = story.clone();
        while stuck.state().stuck_reason().is_none() {
            stuck.answer("go", misconfigured("401 Unauthorized")).whatever();
            stuck.tick_after(std::time::Duration::from_hours(1)).whatever();
        }
        for mut story in [story, paused, stuck] {
            let before = story.state().clone();
            story.operate(Operation::Note).then(&["An operator left a note"]);
            let updated_at = story.now().at;
            assert_eq!(story.state(), &Order { notes: 1, updated_at, ..before });
        }
    }

    #[test]
    fn an_order_that_has_ended_or_has_many_notes_takes_no_more() {
        let workflow = workflow(ONE);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        for _ in 0..MAX_NOTES {
            story.operate(Operation::Note).whatever();
        }
        story.operate(Operation::Note).then_refused(&Refusal::TooManyNotes { count: MAX_NOTES });
        story.answer("go", done()).whatever();
        let refused = Refusal::NotNow { operation: "note", state: State::Completed };
        story.operate(Operation::Note).then_refused(&refused);
    }
}
