//! What lies between instances and participants. Its mistakes turn requests away before a
//! participant receives them, and sometimes no participant can be reached at all.

use std::time::Duration;

use chrono::TimeDelta;
use domain::Timestamp;
use domain::ids::OrderId;

use super::dice::Dice;
use super::faults::Fault;
use super::response::{MISTAKE, Response};
use super::simulation::Simulation;

/// The statuses of answers that no participant gave.
const TURNED_AWAY: [u16; 7] = [401, 403, 404, 405, 407, 431, 308];

/// When no participant can be reached for the first order of a run, so that none of its requests is
/// sent. `None`: never. One order is enough: each of its steps tries hundreds of times a day, and
/// long histories make a run slow.
#[derive(Debug, Clone, Copy)]
pub struct Absence(Option<(Timestamp, Timestamp)>);

impl Absence {
    /// An absence of an hour, one of more than a day, or none.
    pub fn new(dice: &Dice, now: Timestamp) -> Self {
        Self(dice.hits(10).then(|| {
            let from = now + TimeDelta::from_std(dice.up_to(Duration::from_secs(20))).unwrap_or_default();
            (from, from + TimeDelta::hours(*dice.pick(&[1, 26])))
        }))
    }

    /// Whether no participant can be reached for this order now. Once a run is calm, all
    /// can be reached.
    pub fn is_now(self, simulation: &Simulation, order: &OrderId) -> bool {
        let now = simulation.now();
        let is_first = order.as_str() == "o0";
        let is_away = is_first && self.0.is_some_and(|(from, until)| from <= now && now < until);
        if is_away && !simulation.calm.is_cancelled() {
            simulation.note(Fault::Away);
            return true;
        }
        false
    }
}

/// When the deployment is broken. `None`: never, except for single requests.
#[derive(Debug, Clone, Copy)]
pub struct Deployment(Option<(Timestamp, Timestamp)>);

impl Deployment {
    /// Broken for a while, for longer than any order is tried, or never.
    pub fn new(dice: &Dice, now: Timestamp) -> Self {
        Self(dice.hits(100).then(|| {
            let after = |longest: Duration| TimeDelta::from_std(dice.up_to(longest)).unwrap_or_default();
            let from = now + after(Duration::from_secs(20));
            let longest = *dice.pick(&[5, 120, 30 * 24 * 3_600]);
            (from, from + after(Duration::from_secs(longest)))
        }))
    }

    /// The response to a request that a mistake keeps from its participant. Once a run is calm, the
    /// deployment is corrected.
    pub fn turns_away(self, simulation: &Simulation) -> Option<Response> {
        let now = simulation.now();
        let is_broken = self.0.is_some_and(|(from, until)| from <= now && now < until);
        if is_broken && !simulation.calm.is_cancelled() {
            simulation.note(Fault::BrokenDeployment);
        } else if !simulation.happens(Fault::Mistake) {
            return None;
        }
        let status = *simulation.dice.pick(&TURNED_AWAY);
        Some(Response::error(status, format!("{MISTAKE}{status}")))
    }

    /// May replace an answer by one that does not say what was done: it is elsewhere (303), or in a
    /// form that the caller does not accept (406).
    pub fn distorts(simulation: &Simulation, response: Response) -> Response {
        if !simulation.happens(Fault::AnswerLostInForm) {
            return response;
        }
        let status = *simulation.dice.pick(&[303, 406]);
        Response::error(status, format!("{MISTAKE}{status}"))
    }
}
