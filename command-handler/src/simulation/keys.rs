//! The keys of some orders' personal data are lost, and mostly brought back: by an import, as an
//! operator would.

use std::time::Duration;

use domain::ids::OrderId;
use tokio::time::sleep;

use super::faults::Fault;
use super::simulation::Simulation;

/// May lose the key of an order at any moment of its life.
pub async fn may_lose(simulation: Simulation, order_id: OrderId, customer: String) {
    if !simulation.dice.hits(60) {
        return;
    }
    sleep(simulation.dice.up_to(Duration::from_secs(*simulation.dice.pick(&[2, 10, 60])))).await;
    if simulation.calm.is_cancelled() || !simulation.keys.lose(&customer) {
        return;
    }
    simulation.note(Fault::LostKey);
    simulation.record(|record| record.lost_keys.insert(order_id.clone(), true));
    simulation.tell(format_args!("the key of order {order_id} is lost"));
    // The run, which waits for the last order to end, looks again: it does not wait for this one.
    simulation.written.count();
    if simulation.dice.hits(250) {
        return;
    }
    sleep(simulation.dice.up_to(Duration::from_secs(*simulation.dice.pick(&[10, 600])))).await;
    simulation.keys.bring_back();
    simulation.note(Fault::KeyBack);
    simulation.record(|record| {
        record.lost_keys.values_mut().for_each(|lost| *lost = false);
    });
    simulation.written.count();
    simulation.tell(format_args!("lost keys are back"));
}
