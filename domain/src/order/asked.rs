//! Whom an order has asked.

use super::event::Direction;
use super::state::Order;
use crate::workflow::Workflow;

impl Order {
    /// The participant that was asked for a step's action, or for its undo, which another one may
    /// have. `None`: no such request was made. Without the order's definition, no undo is known.
    pub fn asked<'a>(&'a self, step: &str, direction: Direction, workflow: Option<&'a Workflow>) -> Option<&'a str> {
        let known = self.steps.get(step)?;
        let action = match direction {
            Direction::Do => return known.requested.as_ref().map(|requested| requested.participant.as_str()),
            Direction::Undo if known.undo_attempts == 0 => return None,
            Direction::Undo => workflow?.step(step)?.undo.as_ref()?,
        };
        Some(&action.participant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Story, done, order, refused};

    #[test]
    fn a_participant_was_asked_once_the_request_for_its_own_action_or_undo_was_made() {
        let text = "workflow: lent\nversion: 1\nparticipants: { desk: { url: \"http://desk\" }, store: { url: \"http://store\" } }\n\
                    steps:\n  lend: { call: desk.lend, undo: store.take-back }\n  send: { after: [lend], call: desk.send }\n";
        let workflow = Workflow::parse(text).unwrap();
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        let asked =
            |story: &Story<'_>, direction| story.state().asked("lend", direction, Some(&workflow)).map(str::to_owned);
        assert_eq!((asked(&story, Direction::Do).as_deref(), asked(&story, Direction::Undo)), (Some("desk"), None));
        story.answer("lend", done()).whatever();
        story.answer("send", refused("no")).whatever();
        assert_eq!(asked(&story, Direction::Undo).as_deref(), Some("store"));
        assert_eq!(story.state().asked("lend", Direction::Undo, None), None);
        assert_eq!(story.state().asked("other", Direction::Do, Some(&workflow)), None);
    }
}
