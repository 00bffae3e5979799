//! The script of faults, drawn from a seed before the test begins, and its execution.

use std::collections::BTreeMap;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::instance::{Instance, one_is_ready};
use super::windows::Windows;
use super::{LEASE, Many};

/// How long the active projector may be silent before another one takes over.
const SILENCE: Duration = Duration::from_secs(5);

/// What can happen to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    KillHandler,
    /// Stopped for longer than its lease.
    StopHandler,
    KillProjector,
    /// Stopped for longer than Postgres waits for it.
    StopProjector,
    KillParticipants,
    KillNode,
    RestartNode,
    KillPostgres,
    RestartPostgres,
}

/// One fault of the script.
#[derive(Debug, Clone, Copy)]
pub struct Act {
    at: Duration,
    fault: Fault,
    /// Which of several instances it affects.
    which: usize,
    /// How long the instance stays away.
    lasts: Duration,
}

/// How often each fault is in the deck. The script draws from the whole deck, repeatedly.
const DECK: [(Fault, usize); 9] = [
    (Fault::KillHandler, 5),
    (Fault::StopHandler, 2),
    (Fault::KillProjector, 2),
    (Fault::StopProjector, 1),
    (Fault::KillParticipants, 2),
    (Fault::KillNode, 1),
    (Fault::RestartNode, 1),
    (Fault::KillPostgres, 1),
    (Fault::RestartPostgres, 1),
];

/// Draws the faults for this length of time.
pub fn draw(seed: u64, length: Duration) -> Vec<Act> {
    let mut dice = StdRng::seed_from_u64(seed);
    let (mut acts, mut deck, mut at) = (Vec::new(), Vec::new(), Duration::ZERO);
    loop {
        at += Duration::from_millis(dice.random_range(300..1_500));
        if at > length {
            return acts;
        }
        if deck.is_empty() {
            deck.extend(DECK.iter().flat_map(|(fault, times)| vec![*fault; *times]));
            deck.shuffle(&mut dice);
        }
        let Some(fault) = deck.pop() else { return acts };
        let which = dice.random_range(0..fault.instances());
        let lasts = fault.least() + Duration::from_millis(dice.random_range(0..1_500));
        acts.push(Act { at, fault, which, lasts });
    }
}

impl Fault {
    /// How many instances the fault can affect.
    fn instances(self) -> usize {
        match self {
            Self::KillHandler | Self::StopHandler => 3,
            Self::KillProjector | Self::StopProjector => 2,
            Self::KillParticipants
            | Self::KillNode
            | Self::RestartNode
            | Self::KillPostgres
            | Self::RestartPostgres => 1,
        }
    }

    fn least(self) -> Duration {
        match self {
            Self::StopHandler => LEASE + Duration::from_secs(1),
            Self::StopProjector => SILENCE + Duration::from_secs(1),
            Self::KillHandler
            | Self::KillProjector
            | Self::KillParticipants
            | Self::KillNode
            | Self::RestartNode
            | Self::KillPostgres
            | Self::RestartPostgres => Duration::ZERO,
        }
    }
}

/// The instance that a fault affects. Faults of one instance follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Handler(usize),
    Projector(usize),
    Participants,
    Node,
    Postgres,
}

impl Act {
    fn target(self) -> Target {
        match self.fault {
            Fault::KillHandler | Fault::StopHandler => Target::Handler(self.which),
            Fault::KillProjector | Fault::StopProjector => Target::Projector(self.which),
            Fault::KillParticipants => Target::Participants,
            Fault::KillNode | Fault::RestartNode => Target::Node,
            Fault::KillPostgres | Fault::RestartPostgres => Target::Postgres,
        }
    }
}

/// What has happened during the test.
pub struct Happened {
    pub counts: BTreeMap<Fault, usize>,
    /// When the whole system was down: no node, no Postgres, no command handler, or no projector.
    pub down: Windows,
    /// When each instance was away: other possible reasons for a wait.
    away: BTreeMap<Target, Windows>,
}

impl Happened {
    /// What was away in a time range, and from when until when, in seconds from its beginning.
    pub fn meanwhile(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<String> {
        let seconds = |at: DateTime<Utc>| (at - from).as_seconds_f32();
        let reported = self.away.iter().flat_map(|(target, windows)| {
            windows
                .within(from, to)
                .map(move |(begin, end)| format!("{target:?} {:.1} to {:.1}", seconds(begin), seconds(end)))
        });
        reported.collect()
    }
}

/// Executes the script, and returns when everything is up again.
pub async fn perform(many: &Arc<Many>, acts: &[Act]) -> Happened {
    let begun = Instant::now();
    let mut by_target: BTreeMap<Target, Vec<Act>> = BTreeMap::new();
    let mut counts = BTreeMap::new();
    for act in acts {
        by_target.entry(act.target()).or_default().push(*act);
        *counts.entry(act.fault).or_default() += 1;
    }
    let mut under_way = JoinSet::new();
    for (target, acts) in by_target {
        let many = many.clone();
        under_way.spawn(async move {
            let mut away = Vec::new();
            for act in acts {
                sleep_until(begun + act.at).await;
                let from = Utc::now();
                many.strike(act).await;
                away.push((from, Utc::now()));
            }
            (target, Windows::new(away))
        });
    }
    let away: BTreeMap<Target, Windows> = under_way.join_all().await.into_iter().collect();
    let of = |target| away.get(&target).cloned().unwrap_or_default();
    let handlers = of(Target::Handler(0)).and(&of(Target::Handler(1))).and(&of(Target::Handler(2)));
    let projectors = of(Target::Projector(0)).and(&of(Target::Projector(1)));
    let down = of(Target::Node).or(&of(Target::Postgres)).or(&handlers).or(&projectors);
    Happened { counts, down, away }
}

impl Many {
    /// Executes one fault, and reverts it after a while.
    async fn strike(&self, act: Act) {
        let (handler, projector) = (&self.handlers[act.which % 3], &self.projectors[act.which % 2]);
        match act.fault {
            Fault::KillHandler => {
                killed_for(handler, act.lasts).await;
                one_is_ready(slice::from_ref(handler)).await;
            }
            Fault::StopHandler => {
                stopped_for(handler, act.lasts).await;
                one_is_ready(slice::from_ref(handler)).await;
            }
            Fault::KillProjector => killed_for(projector, act.lasts).await,
            Fault::StopProjector => stopped_for(projector, act.lasts).await,
            Fault::KillParticipants => killed_for(&self.participants, act.lasts).await,
            Fault::KillNode => {
                killed_for(&self.node, act.lasts).await;
                one_is_ready(&self.handlers).await;
            }
            Fault::RestartNode => {
                let left = self.node.leaves().await;
                assert!(left.success(), "the node: {left}");
                sleep(act.lasts).await;
                self.node.start().await;
                one_is_ready(&self.handlers).await;
            }
            Fault::KillPostgres | Fault::RestartPostgres => {
                let mut postgres = self.postgres.lock().await;
                if act.fault == Fault::KillPostgres {
                    postgres.kill().await;
                } else {
                    postgres.stop().await;
                }
                sleep(act.lasts).await;
                postgres.start_again().await.unwrap_or_else(|error| panic!("Postgres: {error}"));
                one_is_ready(&self.handlers).await;
            }
        }
    }
}

async fn killed_for(instance: &Instance, time: Duration) {
    instance.kill().await;
    sleep(time).await;
    instance.start().await;
}

async fn stopped_for(instance: &Instance, time: Duration) {
    instance.signal(Signal::STOP).await;
    sleep(time).await;
    instance.signal(Signal::CONT).await;
}

#[test]
fn the_same_seed_draws_the_same_script() {
    let drawn = |seed| format!("{:?}", draw(seed, Duration::from_mins(1)));
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}
