//! Those who place orders: each repeats its request until it is acknowledged, or gives up.

use std::time::Duration;

use domain::ids::OrderId;
use domain::order::NewOrder;
use tokio::time::{sleep, timeout};

use super::faults::Fault;
use super::members::Members;
use super::network::exchange;
use super::simulation::Simulation;
use crate::orchestrator::{Accepted, PlaceError};

/// How often a client tries.
const MAX_TRIES: u32 = 30;

/// Places an order; some do it once more later, although they were answered.
pub async fn place(simulation: Simulation, members: Members, order_id: OrderId, order: NewOrder) {
    sleep(simulation.dice.up_to(Duration::from_secs(5))).await;
    until_acknowledged(&simulation, &members, &order_id, &order).await;
    if simulation.happens(Fault::PlacedTwice) {
        sleep(simulation.dice.up_to(Duration::from_mins(1))).await;
        until_acknowledged(&simulation, &members, &order_id, &order).await;
    }
}

async fn until_acknowledged(simulation: &Simulation, members: &Members, order_id: &OrderId, order: &NewOrder) {
    for tries in 0..MAX_TRIES {
        let (at, id, content) = (members.clone(), order_id.clone(), order.clone());
        let answered = exchange(simulation, move || hand_over(at.clone(), id.clone(), content.clone()));
        let patience = Duration::from_millis(*simulation.dice.pick(&[100, 1_000, 5_000]));
        match timeout(patience, answered).await {
            Ok(Ok(Some(Ok(accepted)))) => {
                simulation.tell(format_args!("order {order_id} is acknowledged at revision {}", accepted.revision));
                return simulation.record(|record| record.acknowledged.push(accepted));
            }
            Ok(Ok(Some(Err(
                error @ (PlaceError::NoDriver(_) | PlaceError::Unreadable(..) | PlaceError::Failed(_)),
            )))) => {
                simulation.tell(format_args!("order {order_id} is not acknowledged: {error}"));
            }
            Ok(Ok(Some(Err(PlaceError::TooLarge(why))))) => {
                return simulation.tell(format_args!("order {order_id} is not taken: {why}"));
            }
            Ok(Ok(Some(Err(error)))) => {
                return simulation.wrong("no_answer_without_a_record", format!("order {order_id}: {error}"));
            }
            Ok(Ok(None) | Err(_)) | Err(_) => {}
        }
        sleep(simulation.dice.up_to(Duration::from_millis(500) * (tries + 1))).await;
    }
}

async fn hand_over(members: Members, order_id: OrderId, order: NewOrder) -> Option<Result<Accepted, PlaceError>> {
    Some(members.any()?.place(order_id, order, None).await)
}
