//! Of all steps, 93 to 97 in 100 end by the time that was expected when they began; and so do
//! orders. Measured on the orders of Northwind, and on a year of another shop, whose orders and
//! services are simulated: the decisions are the real ones, and only time is invented.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Estimates, Expected, samples};
use crate::Timestamp;
use crate::order::{Direction, Event, NewOrder, Order, Reply, Stage, evolve, request};
use crate::testing::{Story, order, unclear};
use crate::workflow::Workflow;

/// Numbers that look random, and are the same in each run (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Around this median: two thirds are within a factor of `e` to the power of `spread`.
    fn around(&mut self, median: Duration, spread: f64) -> Duration {
        let normal = (-2.0 * (1.0 - self.share()).ln()).sqrt() * (std::f64::consts::TAU * self.share()).cos();
        median.mul_f64((normal * spread).exp())
    }
}

/// A service: how long it takes, and how often an attempt fails.
#[derive(Clone, Copy)]
struct Service {
    median: Duration,
    spread: f64,
    fails: f64,
}

/// A service that takes longer accepts a request at once, and answers later.
const ANSWERS_AT_ONCE: Duration = Duration::from_secs(10);

/// How the services of a shop are at a moment.
trait Shop {
    fn service(&self, step: &str) -> Service;
    /// By what the times of all services are multiplied.
    fn pace(&self, at: Timestamp) -> f64;
}

/// Lets an order live to its end. Returns its events.
fn live(workflow: &Workflow, placed: NewOrder, at: Timestamp, shop: &impl Shop, dice: &mut Dice) -> Vec<Event> {
    let mut story = Story::given(workflow);
    story.pass((at - story.now().at).to_std().unwrap());
    story.place(placed).whatever();
    // When which attempt or request is answered.
    let mut answers: BTreeMap<(String, Timestamp), Timestamp> = BTreeMap::new();
    while !story.state().ended() {
        let now = story.now().at;
        let open = story.state().steps.iter().filter(|(_, step)| match step.stage {
            Stage::InFlight { .. } => true,
            Stage::Awaiting { direction, .. } => direction == Direction::Do,
            _ => false,
        });
        let open: Vec<(String, Timestamp)> = open.map(|(id, step)| (id.clone(), step.since)).collect();
        answers.retain(|known, _| open.contains(known));
        for each in open {
            let Service { median, spread, .. } = shop.service(&each.0);
            let accepts = median > ANSWERS_AT_ONCE && story.state().attempt_in_flight(&each.0).is_some();
            let median = if accepts { Duration::from_millis(200) } else { median };
            let took = dice.around(median, spread).mul_f64(shop.pace(now));
            answers.entry(each).or_insert(now + TimeDelta::from_std(took).unwrap());
        }
        let first = answers.iter().min_by_key(|(_, at)| **at).map(|((step, _), at)| (step.clone(), *at));
        let due = story.state().due_at();
        match first {
            Some((step, at)) if due.is_none_or(|due| at <= due) => {
                story.pass((at - now).to_std().unwrap_or_default());
                let is_undone = story.state().undone_because.is_some();
                let is_shipped = step == "ship" && !is_undone;
                let (outcome, data) =
                    if is_shipped { ("shipped", json!({ "tracking": "T1" })) } else { ("done", Value::Null) };
                if story.in_flight().iter().any(|attempt| attempt.step == step) {
                    let Service { median, fails, .. } = shop.service(&step);
                    let reply = match dice.share() < fails {
                        true => unclear("not now"),
                        false if median > ANSWERS_AT_ONCE && !is_undone => Reply::Accepted,
                        false => Reply::Done { outcome: is_shipped.then(|| outcome.to_owned()), data },
                    };
                    story.answer(&step, reply).whatever();
                } else {
                    story.signal_with(&step, outcome, data, None).whatever();
                }
            }
            _ => story.tick_when_due().whatever(),
        }
    }
    story.history().to_vec()
}

/// How many ended, and how many of these in time.
#[derive(Debug, Default)]
struct Tally {
    ended: u32,
    in_time: u32,
    /// Those of which nothing was expected.
    unknown: u32,
}

impl Tally {
    fn count(&mut self, expected: Option<Timestamp>, ended: Timestamp) {
        match expected {
            Some(expected) => {
                self.ended += 1;
                self.in_time += u32::from(ended <= expected);
            }
            None => self.unknown += 1,
        }
    }

    fn share(&self) -> f64 {
        100.0 * f64::from(self.in_time) / f64::from(self.ended)
    }
}

/// What was expected when each step began, and how it turned out.
#[derive(Default)]
struct Outcome {
    steps: Tally,
    by_step: BTreeMap<String, Tally>,
    orders: Tally,
}

/// Reads all events in the order of their times, as a projector does.
fn measure(lives: Vec<Vec<Event>>) -> Outcome {
    let mut log: Vec<(Timestamp, usize, Event)> = Vec::new();
    for (number, events) in lives.into_iter().enumerate() {
        log.extend(events.into_iter().map(|event| (event.at(), number, event)));
    }
    log.sort_by_key(|(at, number, _)| (*at, *number));
    let mut estimates = Estimates::default();
    let mut states: HashMap<usize, Order> = HashMap::new();
    let mut promised: HashMap<(usize, String), Option<Timestamp>> = HashMap::new();
    let mut outcome = Outcome::default();
    for (position, (at, number, event)) in log.into_iter().enumerate() {
        let state = evolve(states.remove(&number), &event).unwrap();
        for sample in samples(&event, &state) {
            if sample.key.part == super::Part::Step {
                let expected = promised.remove(&(number, sample.key.step.clone())).flatten();
                outcome.steps.count(expected, at);
                outcome.by_step.entry(sample.key.step.clone()).or_default().count(expected, at);
            }
            estimates.add(&sample, position as u64);
        }
        let expected = Expected::of(&state, &estimates);
        let begins = match &event {
            Event::StepStarted(e) => Some(&e.step).filter(|_| e.direction == Direction::Do && e.attempt == 1),
            Event::WaitStarted(e) => Some(&e.step),
            _ => None,
        };
        if let Some(step) = begins {
            promised.insert((number, step.clone()), expected.steps.get(step).copied());
            promised.insert((number, String::new()), expected.order);
        }
        if let Event::OrderCompleted(_) = event {
            outcome.orders.count(promised.remove(&(number, String::new())).flatten(), at);
        }
        if !state.ended() {
            states.insert(number, state);
        }
    }
    outcome
}

fn is_calibrated(shop: &str, Outcome { steps, by_step, orders }: &Outcome) {
    for (name, tally) in [("steps", steps), ("orders", orders)] {
        println!("{shop}: {:.1} % of {} {name} ended by the expected time", tally.share(), tally.ended);
    }
    for (step, tally) in by_step {
        println!(
            "{shop}: {step}: {:.1} % of {} ({} before anything was known)",
            tally.share(),
            tally.ended,
            tally.unknown
        );
    }
    for tally in [steps, orders] {
        assert!((93.0..=97.0).contains(&tally.share()), "{tally:?}");
    }
}

fn hours(of: f64) -> Duration {
    Duration::from_secs_f64(of * 3600.0)
}

/// Payments in a second, parcels in a day or two, from orders of two years.
struct Northwind;

impl Shop for Northwind {
    fn service(&self, step: &str) -> Service {
        let (median, spread, fails) = match step {
            "charge" => (Duration::from_millis(900), 0.7, 0.05),
            "ship" => (hours(20.0), 0.5, 0.0),
            "create-order" => (Duration::from_millis(120), 0.4, 0.01),
            _ => (Duration::from_millis(300), 0.6, 0.03),
        };
        Service { median, spread, fails }
    }

    fn pace(&self, _at: Timestamp) -> f64 {
        1.0
    }
}

#[test]
fn the_orders_of_northwind_end_when_they_are_expected() {
    let file = |name: &str| fs::read_to_string(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let definition = |name: &str| {
        let text = file(&format!("workflows/{name}.yaml"));
        let text = ["ORDERS", "PAYMENTS", "SHIPPING", "NOTIFICATIONS"]
            .iter()
            .fold(text, |text, service| text.replace(&format!("${{{service}_URL}}"), "http://localhost"));
        Workflow::parse(&text).unwrap()
    };
    let workflows = ["order-fulfilment", "order-fulfilment-without-backorder"].map(definition);
    let mut dice = Dice(830);
    let text = file("tests/northwind/orders.jsonl");
    let lives = text.lines().map(|line| {
        let placed = request::check(&crate::json::parse(line.as_bytes()).unwrap()).unwrap();
        let workflow = workflows.iter().find(|workflow| workflow.name == placed.workflow).unwrap();
        let day = placed.attributes.get("orderDate").and_then(Value::as_str).unwrap();
        let morning: Timestamp = format!("{day}T08:00:00Z").parse().unwrap();
        let at = morning + TimeDelta::from_std(hours(9.0 * dice.share())).unwrap();
        live(workflow, placed, at, &Northwind, &mut dice)
    });
    let outcome = measure(lives.collect());
    is_calibrated("Northwind", &outcome);
    assert!(outcome.steps.ended > 3_000 && outcome.orders.ended > 700, "{:?} {:?}", outcome.steps, outcome.orders);
}

/// Forty orders a day for a year. At night services take up to twice as long; over the year they
/// become slower by a half, and one week in summer everything takes twice as long. In October comes
/// a new version.
struct Year;

impl Shop for Year {
    fn service(&self, step: &str) -> Service {
        let (median, spread, fails) = match step {
            "reserve" => (Duration::from_millis(250), 0.5, 0.02),
            "pay" => (Duration::from_secs(2), 0.9, 0.1),
            "pick" => (hours(3.0), 0.6, 0.0),
            "ship" => (hours(26.0), 0.5, 0.0),
            _ => (Duration::from_millis(400), 0.7, 0.05),
        };
        Service { median, spread, fails }
    }

    fn pace(&self, at: Timestamp) -> f64 {
        let day = at.timestamp() % (365 * 86_400) / 86_400;
        let hour = f64::from(u32::try_from(at.timestamp() % 86_400 / 60).unwrap()) / 60.0;
        let drift = 1.0 + 0.5 * f64::from(i32::try_from(day).unwrap()) / 365.0;
        let night = 1.5 + 0.5 * (std::f64::consts::TAU * (hour - 2.0) / 24.0).cos();
        let slow_week = if (200..207).contains(&day) { 2.0 } else { 1.0 };
        drift * night * slow_week
    }
}

const YEAR: &str = "workflow: w
participants: { p: { url: 'http://localhost' } }
steps:
  reserve: { call: p.reserve }
  pay: { after: [reserve], call: p.pay }
  pick: { after: [reserve], request: p.pick, timeout: 20d }
  ship: { after: [pay, pick], request: p.ship, timeout: 60d, outcomes: [shipped] }
  tell: { after: [ship], call: p.tell }
";

#[test]
fn the_orders_of_a_year_end_when_they_are_expected() {
    let versions = [1, 2].map(|version| Workflow::parse(&format!("version: {version}\n{YEAR}")).unwrap());
    let mut dice = Dice(365);
    let lives = (0..365 * 40_i64).map(|number| {
        // More of them in the afternoon.
        let hour = (dice.share() + dice.share() + dice.share()) * 8.0;
        let at =
            Timestamp::from_timestamp(number / 40 * 86_400, 0).unwrap() + TimeDelta::from_std(hours(hour)).unwrap();
        live(&versions[usize::from(number / 40 >= 280)], order(), at, &Year, &mut dice)
    });
    let outcome = measure(lives.collect());
    is_calibrated("a year", &outcome);
    assert!(outcome.steps.ended > 70_000 && outcome.steps.unknown < 150, "{:?}", outcome.steps);
}
