//! Exchanges over a network that loses, delays, doubles and reorders what it carries.

use std::future::Future;

use tokio::sync::oneshot;

use super::faults::Fault;
use super::simulation::Simulation;

/// Sends a request to where it is served, and gives where the answer comes, if it does: the
/// connection may break, or be silent for ever. What has left its sender is on its way, whatever
/// becomes of the sender.
pub fn exchange<T, F>(
    simulation: &Simulation,
    serve: impl Fn() -> F + Clone + Send + Sync + 'static,
) -> oneshot::Receiver<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (answer, answered) = oneshot::channel();
    if simulation.happens(Fault::LostRequest) {
        say_nothing(simulation, answer);
        return answered;
    }
    if simulation.happens(Fault::Duplicate) {
        let (simulation, serve) = (simulation.clone(), serve.clone());
        tokio::spawn(async move {
            simulation.travel().await;
            simulation.travel().await;
            serve().await;
        });
    }
    let simulation = simulation.clone();
    tokio::spawn(async move {
        simulation.travel().await;
        let result = serve().await;
        simulation.travel().await;
        if simulation.happens(Fault::LostAnswer) {
            say_nothing(&simulation, answer);
        } else {
            // The caller may be gone. Then the answer is dropped.
            let _ = answer.send(result);
        }
    });
    answered
}

/// The connection breaks at once, or no answer ever arrives.
fn say_nothing<T: Send + 'static>(simulation: &Simulation, mut answer: oneshot::Sender<T>) {
    if simulation.dice.hits(500) {
        tokio::spawn(async move { answer.closed().await });
    }
}
