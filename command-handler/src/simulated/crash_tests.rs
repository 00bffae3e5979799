//! Instances are killed: every order ends all the same, and nothing is done twice.

use std::time::Duration;

use domain::ids::OrderId;
use domain::order::{Lifecycle, OrderState};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::timeout;

use super::improvisation::Improvisation;
use super::life::Life;
use super::world::{Instance, World, fulfilment, id, options, order, simulate};
use crate::orchestrator::CommandError;

/// How long a client waits for an instance that does not answer any more.
const WAIT: Duration = Duration::from_millis(500);

/// Places an order and sends it its later answer, at an instance of which nobody knows how long it will live, and where that
/// came to nothing, at its successor. Gives the moments that the first one had.
async fn live_through(world: &World, life: Life) -> usize {
    let instance = world.instance_of(life);
    let mut current = instance.clone();
    let successor = world.instance();
    let placed = timeout(WAIT, instance.place(id("1"), fulfilment(), None)).await;
    if !matches!(placed, Ok(Ok(_))) {
        successor.place(id("1"), fulfilment(), None).await.unwrap();
    }
    for _ in 0..20 {
        world.settle().await;
        if current.life.is_over() {
            current = successor.clone();
            world.wake_due(&current).await;
        }
        let sent = timeout(WAIT, current.signal(id("1"), world.answer("shipped", Some("k")))).await;
        if matches!(sent, Ok(Ok(_))) {
            break;
        }
        world.pass(Duration::from_secs(12)).await;
    }
    world.wake_until_done(&successor).await;
    instance.life.moments()
}

#[test]
fn killed_at_any_moment_of_an_orders_life_an_instance_loses_nothing() {
    let mut moments = 0;
    simulate(async |world| moments = live_through(world, Life::long()).await);
    assert!(moments > 20, "{moments}");
    for last in 1..=moments {
        simulate(async |world| {
            live_through(world, Life::of(last)).await;
            let state = world.state(&id("1"));
            assert_eq!((last, state.state()), (last, Lifecycle::Completed));
            assert_eq!(state.steps["ship"].answer_keys, ["k"]);
            for (step, known) in &state.steps {
                assert!(known.attempts <= 2, "{step} was tried {} times, killed at {last}", known.attempts);
            }
        });
    }
}

/// A few orders, one or two instances at a time, and everything that can happen to them.
struct Chaos<'w> {
    world: &'w World,
    dice: StdRng,
    improvisation: Improvisation,
    instances: Vec<Instance>,
    unplaced: Vec<OrderId>,
}

impl<'w> Chaos<'w> {
    fn new(world: &'w World, seed: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        world.clock.roll(dice.random());
        world.log.storm(dice.random_range(0..12), dice.random());
        let improvisation = Improvisation::new(dice.random(), &world.clock);
        let unplaced = (0..dice.random_range(1..4)).map(|number| id(&format!("o{number}"))).collect();
        let mut chaos = Self { world, dice, improvisation, instances: Vec::new(), unplaced };
        for _ in 0..chaos.dice.random_range(1..3) {
            chaos.start_instance();
        }
        chaos
    }

    fn start_instance(&mut self) {
        let participants = self.world.participants.improvising(self.improvisation.clone());
        // Half of them die on their own, in the middle of something.
        let life = if self.dice.random() { Life::of(self.dice.random_range(1..150)) } else { Life::long() };
        self.instances.push(self.world.instance_with(life, options(50), &participants));
    }

    fn instance(&mut self) -> Instance {
        let index = self.dice.random_range(0..self.instances.len());
        if self.instances[index].life.is_over() || self.dice.random_range(0..100) < 3 {
            self.instances.swap_remove(index).life.end();
            self.start_instance();
            return self.instances[self.instances.len() - 1].clone();
        }
        self.instances[index].clone()
    }

    async fn round(&mut self) {
        if let Some(order_id) = self.unplaced.last().cloned() {
            self.place(order_id).await;
        }
        for order_id in self.world.orders() {
            if self.dice.random_bool(0.7) {
                self.deliver_letter(order_id).await;
            }
        }
        if self.dice.random_bool(0.8) {
            self.world.settle().await;
        }
        self.let_time_pass();
        for order_id in self.world.orders() {
            if self.world.state(&order_id).due_at().is_some_and(|due| due <= self.world.clock.time()) {
                let _ = self.instance().wake(order_id);
            }
        }
    }

    /// Clients and participants repeat what is not acknowledged, under the same key.
    async fn place(&mut self, order_id: OrderId) {
        let workflow = ["order-fulfilment", "order-fulfilment-without-backorder"][order_id.as_str().len() % 2];
        let placed = timeout(WAIT, self.instance().place(order_id, order(workflow), None)).await;
        if matches!(placed, Ok(Ok(_))) {
            self.unplaced.pop();
        }
    }

    async fn deliver_letter(&mut self, order_id: OrderId) {
        let Some(outcome) = self.improvisation.letter(&order_id) else { return };
        let signal = self.world.answer(outcome, Some(&format!("{order_id}-{outcome}")));
        match timeout(WAIT, self.instance().signal(order_id.clone(), signal)).await {
            Ok(Ok(_) | Err(CommandError::Refused(_))) => self.improvisation.letter_is_through(&order_id),
            Ok(Err(CommandError::Failed(_) | CommandError::Overloaded)) | Err(_) => {}
            Ok(Err(error @ CommandError::UnknownOrder(_))) => panic!("{error}"),
        }
    }

    fn let_time_pass(&mut self) {
        let now = self.world.clock.time();
        let next = self.world.orders().iter().filter_map(|id| self.world.state(id).due_at()).min();
        let slack = chrono::TimeDelta::milliseconds(self.dice.random_range(0..3_000));
        match next {
            Some(next) if next > now && self.dice.random_bool(0.6) => self.world.clock.advance_to(next + slack),
            _ => self.world.clock.advance_to(now + slack),
        }
    }

    fn is_over(&self) -> bool {
        let open = |id: &OrderId| self.world.state(id).due_at().is_some();
        self.unplaced.is_empty() && !self.world.orders().iter().any(open)
    }

    fn assert_all_is_well(&self) {
        self.improvisation.assert_nothing_done_twice();
        for order_id in self.world.orders() {
            self.assert_effects(&order_id, &self.world.state(&order_id));
        }
    }

    /// What the participants did is what the order's end says.
    fn assert_effects(&self, order_id: &OrderId, state: &OrderState) {
        let effects = |action: &str| self.improvisation.effects(order_id, action);
        let told = || self.world.told(order_id).join("\n");
        let pairs = [
            ("orders.create", "orders.cancel"),
            ("payments.charge", "payments.refund"),
            ("shipping.ship", "shipping.cancel_shipment"),
        ];
        for (action, undo) in pairs {
            match state.state() {
                Lifecycle::Completed => {
                    assert_eq!((action, effects(action), effects(undo)), (action, 1, 0), "{}", told());
                }
                Lifecycle::Canceled => assert!(effects(action) <= effects(undo), "{action} is not undone:\n{}", told()),
                Lifecycle::Stuck => {}
                open => panic!("the order is {open}:\n{}", told()),
            }
        }
    }
}

#[test]
fn whatever_happens_every_order_ends_and_nothing_is_done_twice() {
    for seed in 0..250 {
        // Shown where the test fails: the last one is at fault.
        println!("seed {seed}");
        simulate(async |world| {
            let mut chaos = Chaos::new(world, seed);
            for round in 0.. {
                chaos.round().await;
                world.settle().await;
                if chaos.is_over() {
                    break;
                }
                assert!(round < 2_000, "seed {seed} does not end: {:#?}", world.told(&world.orders()[0]));
            }
            // Slow answers may still be on their way.
            world.log.storm(0, seed);
            world.pass(Duration::from_hours(1)).await;
            chaos.assert_all_is_well();
        });
    }
}
