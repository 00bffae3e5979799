//! Participants with a memory that improvise: they act or not, answer, refuse, are slow, or act without being heard. What
//! they did under an idempotency key, they do not do again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use domain::ids::OrderId;
use domain::order::{Mode, Reply};
use domain::testing::{answered, done, refused, unclear};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use super::clock::SimulatedClock;
use crate::clock::Clock;
use crate::orchestrator::lock;
use crate::participants::Ask;

/// See the head of this file.
#[derive(Debug, Clone)]
pub struct Improvisation {
    services: Arc<Mutex<Services>>,
    clock: SimulatedClock,
}

#[derive(Debug)]
struct Services {
    dice: StdRng,
    /// What was said under which key: the same is said again.
    said: HashMap<String, Reply>,
    effects: HashMap<(OrderId, String), usize>,
    letters: HashMap<OrderId, VecDeque<&'static str>>,
}

impl Improvisation {
    pub fn new(seed: u64, clock: &SimulatedClock) -> Self {
        let services = Services {
            dice: StdRng::seed_from_u64(seed),
            said: HashMap::new(),
            effects: HashMap::new(),
            letters: HashMap::new(),
        };
        Self { services: Arc::new(Mutex::new(services)), clock: clock.clone() }
    }

    /// How often `participant.action` had its effect on an order; steps that share an action are told apart.
    pub fn effects(&self, order: &OrderId, action: &str) -> usize {
        lock(&self.services).effects.get(&(order.clone(), action.to_owned())).copied().unwrap_or_default()
    }

    /// No effect happened more than once.
    pub fn assert_nothing_done_twice(&self) {
        let twice: Vec<_> = lock(&self.services).effects.clone().into_iter().filter(|(_, count)| *count > 1).collect();
        assert_eq!(twice, []);
    }

    /// The next later answer that the shipping service has for an order.
    pub fn letter(&self, order: &OrderId) -> Option<&'static str> {
        lock(&self.services).letters.get(order)?.front().copied()
    }

    /// That answer has come to where it was to go, or is not wanted there.
    pub fn letter_is_through(&self, order: &OrderId) {
        lock(&self.services).letters.get_mut(order).and_then(VecDeque::pop_front);
    }

    /// Answers an ask, at once or within its deadline.
    pub async fn answer(&self, action: &str, ask: &Ask, mode: Mode) -> Reply {
        let (reply, wait) = lock(&self.services).perform(action, ask, mode);
        if let Some(percent) = wait {
            let now = self.clock.time();
            let left = (ask.attempt.deadline - now).max(TimeDelta::zero());
            self.clock.sleep_until(now + left * percent / 100).await;
        }
        reply
    }
}

impl Services {
    /// What is done, what is said of it, and after how many hundredths of the time there is.
    fn perform(&mut self, action: &str, ask: &Ask, mode: Mode) -> (Reply, Option<i32>) {
        let luck = self.dice.random_range(0..100);
        if luck < 10 {
            let retry_after = (luck < 3).then(|| Duration::from_secs(self.dice.random_range(0..600)));
            return (Reply::Unclear { error: "503".to_owned(), retry_after }, None);
        }
        let key = ask.idempotency_key();
        let reply = match self.said.get(&key) {
            Some(reply) => reply.clone(),
            None => self.act(action, ask, mode),
        };
        self.said.insert(key, reply.clone());
        match luck {
            10..18 => (unclear("acted, and was not heard"), None),
            18..28 => (reply, Some(self.dice.random_range(0..100))),
            28..31 => (unclear("no answer in time"), Some(100)),
            _ => (reply, None),
        }
    }

    fn act(&mut self, action: &str, ask: &Ask, mode: Mode) -> Reply {
        let refuses = self.dice.random_range(0..100) < if action.ends_with("refund") { 1 } else { 3 };
        if refuses {
            return refused("no");
        }
        match (action, mode) {
            ("shipping.ship", Mode::Request) => return self.ship(ask),
            // What is taken back is not answered any more.
            ("shipping.cancel_shipment", _) => drop(self.letters.remove(&ask.order_id)),
            _ => {}
        }
        self.note_effect(action, ask);
        done()
    }

    fn ship(&mut self, ask: &Ask) -> Reply {
        let waits = ask.attempt.input.get("backorder") == Some(&Value::Bool(true));
        let plan: &[&'static str] = match self.dice.random_range(0..10) {
            0..2 => &["out_of_stock"],
            2..4 if waits => &["backordered", "shipped"],
            4 if waits => &["backordered"],
            5 => &[],
            _ => &["shipped"],
        };
        if plan != ["out_of_stock"] {
            self.note_effect("shipping.ship", ask);
        }
        if let ([outcome], true) = (plan, self.dice.random_bool(0.2)) {
            return answered(outcome);
        }
        self.letters.insert(ask.order_id.clone(), plan.iter().copied().collect());
        Reply::Accepted
    }

    fn note_effect(&mut self, action: &str, ask: &Ask) {
        // Several steps update the status or send a mail; each may do so once.
        let what = match action {
            "orders.update_status" | "notifications.send" => format!("{action} of {}", ask.attempt.step),
            _ => action.to_owned(),
        };
        *self.effects.entry((ask.order_id.clone(), what)).or_default() += 1;
    }
}
