//! What a caller may do to one order, if its role covers only its own.

use access::{Caller, Operation, Reach};
use domain::ids::OrderId;
use domain::order::Direction;
use http_problem::Problem;

use super::refused::problem;
use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::{Asked, Belonging, CommandError, Orchestrator};
use crate::participants::Participants;

/// Refuses an order that is not the caller's own, as if it did not exist: to know
/// an id opens no door. A participant's own are the orders with a request to it; with `request`, if
/// that request was made to it. A caller whose role covers every order costs nothing here.
pub(super) async fn require<L: Log, P: Participants, C: Clock>(
    orchestrator: &Orchestrator<L, P, C>,
    caller: &Caller,
    operation: Operation,
    order_id: &OrderId,
    request: Option<(&str, Direction)>,
) -> Result<(), Problem> {
    let reach = caller.reach(operation);
    if reach == Reach::Everything {
        return Ok(());
    }
    let belonging = orchestrator.belonging(order_id).await.map_err(|error| problem(error, ""))?;
    if covers(&reach, &belonging, request) {
        return Ok(());
    }
    Err(problem(CommandError::UnknownOrder(order_id.clone()), ""))
}

fn covers(reach: &Reach, belonging: &Belonging, request: Option<(&str, Direction)>) -> bool {
    let is_meant = |asked: &&Asked| request.is_none_or(|request| request == (asked.step.as_str(), asked.direction));
    reach.covers_order(belonging.placed_by.as_deref())
        || belonging.asked.iter().filter(is_meant).any(|asked| reach.covers_participant(&asked.participant))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use access::Principal;

    use super::*;

    fn reach(role: &str, operation: Operation) -> Reach {
        let roles = [role.parse().unwrap()].into();
        Caller::Known(Arc::new(Principal { name: "web".to_owned(), roles, on_behalf_of: false })).reach(operation)
    }

    /// `take` was undone by another participant than the one that did it.
    fn belonging(placed_by: &str) -> Belonging {
        let asked = [
            ("take", Direction::Do, "payments"),
            ("take", Direction::Undo, "refunds"),
            ("send", Direction::Do, "shipping"),
        ];
        let asked = asked.map(|(step, direction, participant)| Asked {
            step: step.to_owned(),
            direction,
            participant: participant.to_owned(),
        });
        Belonging { placed_by: Some(placed_by.to_owned()), asked: asked.into() }
    }

    #[test]
    fn a_shop_has_the_orders_that_it_placed() {
        let shop = reach("shop", Operation::CancelOrder);
        assert!(covers(&shop, &belonging("web"), None) && !covers(&shop, &belonging("app"), None));
    }

    #[test]
    fn a_participant_answers_the_actions_and_the_undos_that_asked_it_and_no_others() {
        let may = |role, request| covers(&reach(role, Operation::AnswerStep), &belonging("app"), Some(request));
        for (role, step, direction) in [
            ("participant:payments", "take", Direction::Do),
            ("participant:refunds", "take", Direction::Undo),
            ("participant:shipping", "send", Direction::Do),
        ] {
            for (other, of) in [
                ("take", Direction::Do),
                ("take", Direction::Undo),
                ("send", Direction::Do),
                ("send", Direction::Undo),
                ("other", Direction::Do),
            ] {
                assert_eq!(may(role, (other, of)), (other, of) == (step, direction), "{role}: {of:?} {other}");
            }
        }
    }

    #[test]
    fn a_participant_that_undid_a_step_reads_the_personal_data_as_the_one_that_did_it() {
        let reads = |role| covers(&reach(role, Operation::ReadPersonalData), &belonging("app"), None);
        assert!(reads("participant:payments") && reads("participant:refunds") && !reads("participant:other"));
    }
}
