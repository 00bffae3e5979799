//! The instances of a run, and what befalls them: they are killed, freeze, leave, are started
//! again, and their clocks are set.

use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leader_consumer::LogAlarm;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::faults::Fault;
use super::list::{List, RemoteList};
use super::ports::{Being, RemoteLog, RemoteParticipants};
use super::services::Services;
use super::simulation::Simulation;
use super::sizes;
use crate::fakes::life::Life;
use crate::lock::lock;
use crate::orchestrator::{Orchestrator, OrchestratorOptions};
use crate::todo::{TodoOptions, run_todo};

/// How long a lease lasts.
const LEASE: Duration = Duration::from_secs(10);
/// The most calls of ports, counted twice, after which an instance may die on its own.
const MAX_LIFE: u64 = 150;

/// One process, so to speak.
#[derive(Debug, Clone)]
pub struct Member {
    orchestrator: Orchestrator<RemoteLog, RemoteParticipants, Being>,
    pub being: Being,
    leave: CancellationToken,
}

impl Deref for Member {
    type Target = Orchestrator<RemoteLog, RemoteParticipants, Being>;

    fn deref(&self) -> &Self::Target {
        &self.orchestrator
    }
}

/// Those that can be reached, by their places behind the load balancer.
#[derive(Debug, Clone)]
pub struct Members {
    simulation: Simulation,
    places: Arc<Mutex<Vec<Option<Member>>>>,
}

impl Members {
    /// So many places without an instance.
    pub fn new(simulation: Simulation, places: usize) -> Self {
        Self { simulation, places: Arc::new(Mutex::new(vec![None; places])) }
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        lock(&self.places).len()
    }

    /// The instance that the load balancer chooses, running or not, if the place has one.
    pub fn any(&self) -> Option<Member> {
        let place = self.simulation.dice.pick(&lock(&self.places)).clone();
        if let Some(member) = &place {
            member.look_at_bounds();
        }
        place
    }

    /// Everybody leaves. Gives those who are still alive.
    pub fn dismiss(&self) -> Vec<Member> {
        lock(&self.places).iter_mut().filter_map(Option::take).filter(|member| !member.being.life.is_over()).collect()
    }

    fn put(&self, place: usize, member: Option<Member>) {
        lock(&self.places)[place] = member;
    }
}

impl Member {
    fn start(simulation: &Simulation, name: &str, services: &Services, list: &List, life: Life) -> Self {
        let dice = &simulation.dice;
        let ahead_ms = i64::try_from(dice.within(0..401)).unwrap() - 200;
        let being = Being {
            simulation: simulation.clone(),
            name: name.into(),
            life,
            ahead_ms: Arc::new(AtomicI64::new(ahead_ms)),
        };
        let options = OrchestratorOptions {
            max_active: *dice.pick(&[1, 3, 50]),
            reserve: 1,
            max_idle: NonZeroUsize::new(*dice.pick(&[1, 2, 50])).unwrap(),
            patience: Duration::from_millis(*dice.pick(&[0, 500, 2_000])),
            limits: sizes::limits(simulation.bug),
            ..OrchestratorOptions::default()
        };
        let participants = RemoteParticipants(being.clone(), services.clone());
        let orchestrator =
            Orchestrator::new(RemoteLog(being.clone()), participants, simulation.keys.clone(), being.clone(), options);
        let leave = CancellationToken::new();
        let options = TodoOptions {
            owner: name.to_owned(),
            lease: LEASE,
            every: Duration::from_millis(500),
            most: 10,
            alarm: LogAlarm::default(),
        };
        let list = RemoteList { list: list.clone(), being: being.clone() };
        let todo = run_todo(orchestrator.clone(), list, options, leave.clone());
        let life = being.life.clone();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = life.over() => {}
                () = todo => {}
            }
        });
        simulation.tell(format_args!("{name} starts, its clock {ahead_ms} ms ahead"));
        Self { orchestrator, being, leave }
    }

    /// All queues and caches are bounded.
    fn look_at_bounds(&self) {
        let (drivers, idle) = (self.0.drivers.len(), self.0.idle.len());
        let options = &self.0.options;
        // A driver is forgotten a moment after its place is free, or the other way round.
        if drivers > options.max_active + options.reserve || idle > options.max_idle.get() {
            let how = format!("{}: {drivers} drivers and {idle} idle orders with {options:?}", self.being.name);
            self.being.simulation.wrong("queues_are_bounded", how);
        }
    }

    /// Finishes what is under way, hands over the rest, and is gone.
    pub async fn go(&self) {
        self.leave.cancel();
        self.orchestrator.shutdown(Duration::from_secs(10)).await;
        self.being.life.end();
    }

    /// Nothing is left running, and every place is free.
    pub fn look_if_at_rest(&self) {
        let drivers = self.0.drivers.len();
        if drivers > 0 || self.free() != self.0.options.max_active {
            let how = format!("{}: {drivers} drivers are left, {} places are free", self.being.name, self.free());
            self.being.simulation.wrong("nothing_is_left_running", how);
        }
    }
}

/// Keeps one place taken, and sees to it that those who take it do not have an easy time.
pub async fn keep(members: Members, place: usize, services: Services, list: List) {
    let simulation = members.simulation.clone();
    let mut mishaps = simulation.dice.within(0..6);
    for number in 1.. {
        let dies_alone = mishaps > 0 && simulation.dice.hits(500);
        let moments = simulation.dice.within(1..MAX_LIFE);
        let life = if dies_alone { Life::of(usize::try_from(moments).unwrap()) } else { Life::long() };
        let name = format!("instance {}.{number}", place + 1);
        let member = Member::start(&simulation, &name, &services, &list, life);
        members.put(place, Some(member.clone()));
        while !member.being.life.is_over() {
            let quiet = if mishaps == 0 || simulation.calm.is_cancelled() {
                Duration::MAX
            } else {
                simulation.dice.up_to(Duration::from_millis(*simulation.dice.pick(&[100, 3_000, 30_000])))
            };
            tokio::select! {
                biased;
                () = member.being.life.over() => simulation.note(Fault::Crash),
                () = sleep(quiet), if quiet < Duration::MAX => befall(&members, place, &member).await,
            }
            mishaps = mishaps.saturating_sub(1);
        }
        members.put(place, None);
        sleep(simulation.dice.up_to(Duration::from_millis(*simulation.dice.pick(&[0, 500, 20_000])))).await;
    }
}

async fn befall(members: &Members, place: usize, member: &Member) {
    let (simulation, being) = (&members.simulation, &member.being);
    match simulation.dice.within(0..4) {
        0 => {
            simulation.note(Fault::Crash);
            being.life.end();
        }
        1 => {
            simulation.note(Fault::Stall);
            being.life.freeze();
            sleep(simulation.dice.up_to(LEASE * 3)).await;
            being.life.thaw();
            simulation.tell(format_args!("{} wakes up", being.name));
        }
        2 => {
            simulation.note(Fault::Leave);
            members.put(place, None);
            member.go().await;
        }
        _ => {
            simulation.note(Fault::ClockJump);
            let furthest = *simulation.dice.pick(&[1_000, 10_000, 120_000]);
            let ahead_ms =
                i64::try_from(simulation.dice.within(0..2 * furthest)).unwrap() - i64::try_from(furthest).unwrap();
            being.ahead_ms.store(ahead_ms, Ordering::Relaxed);
            simulation.tell(format_args!("the clock of {} is {ahead_ms} ms ahead", being.name));
        }
    }
}
