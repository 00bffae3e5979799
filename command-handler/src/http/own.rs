//! What a caller may do to one order, if its role covers only its own.

use access::{Caller, Operation, Reach};
use domain::ids::OrderId;
use http_problem::Problem;

use super::refused::problem;
use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::{Belonging, CommandError, Orchestrator};
use crate::participants::Participants;

/// Refuses an order that is not the caller's own, as if it did not exist: to know
/// an id opens no door. A participant's own are the orders with a request to it; with `step`, that
/// step's. A caller whose role covers every order costs nothing here.
pub(super) async fn require<L: Log, P: Participants, C: Clock>(
    orchestrator: &Orchestrator<L, P, C>,
    caller: &Caller,
    operation: Operation,
    order_id: &OrderId,
    step: Option<&str>,
) -> Result<(), Problem> {
    let reach = caller.reach(operation);
    if reach == Reach::Everything {
        return Ok(());
    }
    let belonging = orchestrator.belonging(order_id).await.map_err(|error| problem(error, ""))?;
    if covers(&reach, &belonging, step) {
        return Ok(());
    }
    Err(problem(CommandError::UnknownOrder(order_id.clone()), ""))
}

fn covers(reach: &Reach, belonging: &Belonging, step: Option<&str>) -> bool {
    let mut asked = belonging.asked.iter().filter(|(asked, _)| step.is_none_or(|step| step == asked.as_str()));
    reach.covers_order(belonging.placed_by.as_deref())
        || asked.any(|(_, participant)| reach.covers_participant(participant))
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

    fn belonging(placed_by: &str) -> Belonging {
        let asked = [("take".to_owned(), "payments".to_owned()), ("send".to_owned(), "shipping".to_owned())];
        Belonging { placed_by: Some(placed_by.to_owned()), asked: asked.into() }
    }

    #[test]
    fn a_shop_has_the_orders_that_it_placed_and_a_participant_the_steps_that_asked_it() {
        let (shop, payments) =
            (reach("shop", Operation::CancelOrder), reach("participant:payments", Operation::AnswerStep));
        assert!(covers(&shop, &belonging("web"), None) && !covers(&shop, &belonging("app"), None));
        assert!(covers(&payments, &belonging("app"), Some("take")));
        assert!(!covers(&payments, &belonging("app"), Some("send")));
        assert!(!covers(&payments, &belonging("app"), Some("other")));
    }
}
