//! Between instances and participants: what turns requests away without the participant's knowing.

use std::time::Duration;

use chrono::TimeDelta;
use domain::Timestamp;

use super::dice::Dice;
use super::faults::Fault;
use super::response::{MISTAKE, Response};
use super::simulation::Simulation;

/// The answers that are no participant's word.
const NO_WORD: [u16; 7] = [401, 403, 404, 405, 407, 431, 308];

/// When the deployment is broken; none: it never is, or only for a request now and then.
#[derive(Debug, Clone, Copy)]
pub struct Deployment(Option<(Timestamp, Timestamp)>);

impl Deployment {
    /// For a while, until long after everybody has given up, or not at all.
    pub fn new(dice: &Dice, now: Timestamp) -> Self {
        Self(dice.hits(100).then(|| {
            let after = |longest: Duration| TimeDelta::from_std(dice.up_to(longest)).unwrap_or_default();
            let from = now + after(Duration::from_secs(20));
            let longest = *dice.pick(&[5, 120, 30 * 24 * 3_600]);
            (from, from + after(Duration::from_secs(longest)))
        }))
    }

    /// What a request gets that does not arrive because of a mistake. Once a run is calm, somebody has mended it.
    pub fn turns_away(self, simulation: &Simulation) -> Option<Response> {
        let now = simulation.now();
        let is_broken = self.0.is_some_and(|(from, until)| from <= now && now < until);
        if is_broken && !simulation.calm.is_cancelled() {
            simulation.note(Fault::BrokenDeployment);
        } else if !simulation.happens(Fault::Mistake) {
            return None;
        }
        let status = *simulation.dice.pick(&NO_WORD);
        Some(Response::error(status, format!("{MISTAKE}{status}")))
    }

    /// An answer that says nothing of what was done: it is elsewhere, or in a form that was not asked for.
    pub fn distorts(simulation: &Simulation, response: Response) -> Response {
        if !simulation.happens(Fault::AnswerLostInForm) {
            return response;
        }
        let status = *simulation.dice.pick(&[303, 406]);
        Response::error(status, format!("{MISTAKE}{status}"))
    }
}
