//! A decision, made once more.

use super::{Recorded, command};
use crate::order::{Command, Event, OrderState, decide};
use crate::workflow::Workflow;

/// What the decider of today makes of what led to a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Again {
    /// The same events.
    Same,
    /// Others, or none: why not, in words.
    Differs(Result<Vec<Event>, String>),
    /// It cannot be asked: why not, in words.
    Unknown(String),
}

/// The command that these events are taken to have come of, and what comes of it now. Of several that could have been, it is the
/// one that comes nearest.
pub(super) fn again(
    workflow: Option<&Workflow>,
    state: Option<&OrderState>,
    recorded: &[Recorded],
) -> (Option<Command>, Again) {
    let mut candidates = command::candidates(workflow, state, recorded);
    let Some(workflow) = workflow else {
        let unknown = Again::Unknown("the definition that the order began on is not in the log".to_owned());
        return (candidates.drain(..).next(), unknown);
    };
    let mut nearest: Option<(usize, Command, Result<Vec<Event>, String>)> = None;
    for command in candidates {
        let decided = decide(workflow, state, &command).map_err(|error| error.to_string());
        let alike = decided.as_ref().map_or(0, |events| alike(events, recorded));
        if alike == recorded.len() && decided.as_ref().is_ok_and(|events| events.len() == alike) {
            return (Some(command), Again::Same);
        }
        if nearest.as_ref().is_none_or(|(most, ..)| alike > *most) {
            nearest = Some((alike, command, decided));
        }
    }
    match nearest {
        Some((_, command, decided)) => (Some(command), Again::Differs(decided)),
        None => (None, Again::Differs(Err("nothing that can be asked of an order begins with this event".to_owned()))),
    }
}

/// How many events are the same from the first on.
fn alike(decided: &[Event], recorded: &[Recorded]) -> usize {
    decided.iter().zip(recorded).take_while(|(decided, recorded)| **decided == recorded.event).count()
}
