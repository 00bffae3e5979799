//! How a participant tells one thing asked of it from another, whichever way and however often it is asked.

use uuid::Uuid;

use super::event::Direction;
use super::state::{OrderState, StepState};
use crate::ids::OrderId;

/// Every id of a request derives from this one.
const REQUESTS: Uuid = Uuid::from_u128(0x5f1c_6f0a_3c7e_4d0b_9a55_7465_6e75_746f);

/// The same for every attempt and every instance: the participant acts once under it. `since` is the attempt that it began with:
/// an operator's retry of what was surely not done has its own key.
pub fn idempotency_key(order: &OrderId, step: &str, direction: Direction, since: u32) -> String {
    let key = format!("{order}/{step}/{}", direction.as_str());
    if since == 1 { key } else { format!("{key}/{since}") }
}

/// The id of a request to a participant that is reached by events. Attempts that follow one another are one request, so that
/// asking again changes nothing. After an end there is a new one, since the participant has answered the old one: `since` is
/// the attempt that it began with.
pub fn request_id(order: &OrderId, step: &str, direction: Direction, since: u32) -> Uuid {
    Uuid::new_v5(&REQUESTS, idempotency_key(order, step, direction, since).as_bytes())
}

/// The id of a reply to a request. `what` tells it from the others to the same request: its outcome.
pub fn reply_id(request: Uuid, what: &str) -> Uuid {
    Uuid::new_v5(&request, what.as_bytes())
}

impl OrderState {
    /// Whether a step is being asked under this id, or was the last time.
    pub(super) fn is_asked_under(&self, id: Uuid, step: &str, known: &StepState, direction: Direction) -> bool {
        id == request_id(&self.placed.order_id, step, direction, known.asked_since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Story, order};
    use crate::workflow::Workflow;

    #[test]
    fn ids_derive_from_what_is_asked_and_never_change() {
        let order = OrderId::new("10248").unwrap();
        let first = request_id(&order, "ship", Direction::Do, 1);
        assert_eq!(first.to_string(), "95a8a4bd-74b0-5282-bd89-ed6beb1ec2c4");
        let others = [
            request_id(&order, "ship", Direction::Undo, 1),
            request_id(&order, "ship", Direction::Do, 2),
            request_id(&order, "charge", Direction::Do, 1),
            reply_id(first, "shipped"),
            reply_id(first, "backordered"),
        ];
        for (index, id) in others.iter().enumerate() {
            assert!(*id != first && !others[..index].contains(id), "{id}");
        }
        assert_eq!(idempotency_key(&order, "ship", Direction::Undo, 1), "10248/ship/undo");
        assert_eq!(idempotency_key(&order, "ship", Direction::Undo, 3), "10248/ship/undo/3");
    }

    #[test]
    fn a_step_is_asked_under_the_id_of_its_last_request_only() {
        let source = "workflow: w\nversion: 1\nparticipants: { p: { url: 'http://p' } }\nsteps: { go: { call: p.go } }";
        let workflow = Workflow::parse(source).unwrap();
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        let (state, known) = (story.state(), &story.state().steps["go"]);
        let id = |direction, since| request_id(&state.placed.order_id, "go", direction, since);
        assert!(state.is_asked_under(id(Direction::Do, 1), "go", known, Direction::Do));
        assert!(!state.is_asked_under(id(Direction::Do, 2), "go", known, Direction::Do));
        assert!(!state.is_asked_under(id(Direction::Undo, 1), "go", known, Direction::Do));
    }
}
