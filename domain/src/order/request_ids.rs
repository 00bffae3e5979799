//! Ids of requests to participants: idempotency keys, request ids and reply ids. A participant
//! recognises a repeated request by them, on every transport.

use uuid::Uuid;

use super::event::Direction;
use super::state::{Order, StepState};
use crate::ids::OrderId;

/// The namespace of every request id.
const REQUESTS: Uuid = Uuid::from_u128(0x5f1c_6f0a_3c7e_4d0b_9a55_7465_6e75_746f);

/// The idempotency key: the same for every attempt and every instance, so that the participant acts
/// once. `since` is the first attempt under this key. An operator's retry has its own key if the
/// earlier request certainly did nothing.
pub fn idempotency_key(order: &OrderId, step: &str, direction: Direction, since: u32) -> String {
    let key = format!("{order}/{step}/{}", direction.as_str());
    if since == 1 { key } else { format!("{key}/{since}") }
}

/// The id of a request to a participant that is reached by events. Consecutive attempts share one
/// request, so a repetition changes nothing. A request after a conclusion has another id. `since`
/// is the first attempt under this id.
pub fn request_id(order: &OrderId, step: &str, direction: Direction, since: u32) -> Uuid {
    Uuid::new_v5(&REQUESTS, idempotency_key(order, step, direction, since).as_bytes())
}

/// The id of a reply to a request. `what` (its outcome) distinguishes replies to the same request.
pub fn reply_id(request: Uuid, what: &str) -> Uuid {
    Uuid::new_v5(&request, what.as_bytes())
}

impl Order {
    /// Whether this is the id of the last request of a step.
    pub(super) fn is_last_request(&self, id: Uuid, step: &str, known: &StepState, direction: Direction) -> bool {
        id == request_id(&self.placed.order_id, step, direction, known.request_since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Story, order};
    use crate::workflow::Workflow;

    #[test]
    fn ids_derive_from_the_request_and_never_change() {
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
    fn only_the_last_request_of_a_step_has_its_id() {
        let source = "workflow: w\nversion: 1\nparticipants: { p: { url: 'http://p' } }\nsteps: { go: { call: p.go } }";
        let workflow = Workflow::parse(source).unwrap();
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        let (state, known) = (story.state(), &story.state().steps["go"]);
        let id = |direction, since| request_id(&state.placed.order_id, "go", direction, since);
        assert!(state.is_last_request(id(Direction::Do, 1), "go", known, Direction::Do));
        assert!(!state.is_last_request(id(Direction::Do, 2), "go", known, Direction::Do));
        assert!(!state.is_last_request(id(Direction::Undo, 1), "go", known, Direction::Do));
    }
}
