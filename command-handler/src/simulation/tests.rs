//! Runs, by the thousand.

use std::env;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use super::bug::Bug;
use super::faults::{Counts, Fault};
use super::run::{How, Run, run};

/// The default number of seeds.
const SEEDS: u64 = 5_000;
/// How many of them a bug may hide from.
const SEEDS_TO_A_BUG: u64 = 1_000;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text:?}")))
}

/// The results of many runs.
#[derive(Default)]
struct Sum {
    runs: u64,
    orders: usize,
    events: usize,
    faults: Counts,
    broken: Option<u64>,
}

impl Sum {
    fn of(run: &Run) -> Self {
        let broken = (!run.broken.is_empty()).then_some(run.seed);
        Self { runs: 1, orders: run.orders, events: run.events, faults: run.faults.clone(), broken }
    }

    fn add(&mut self, other: &Sum) {
        self.runs += other.runs;
        self.orders += other.orders;
        self.events += other.events;
        self.faults.resize(Fault::ALL.len(), 0);
        self.faults.iter_mut().zip(&other.faults).for_each(|(sum, count)| *sum += count);
        self.broken = self.broken.into_iter().chain(other.broken).min();
    }
}

/// Makes these runs, on all cores; stops soon after one has broken an invariant.
fn runs(seeds: u64, how: How) -> Sum {
    let (next, last) = (AtomicU64::new(0), AtomicU64::new(seeds));
    let worker = || {
        let mut sum = Sum::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= last.load(Ordering::Relaxed) {
                return sum;
            }
            sum.add(&Sum::of(&run(seed, how)));
            if sum.broken.is_some() {
                last.store(0, Ordering::Relaxed);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let mut sum = Sum::default();
        for worker in workers {
            sum.add(&worker.join().unwrap());
        }
        sum
    })
}

/// Runs one seed again, and tells all of it.
fn tell(seed: u64) -> Run {
    let told = run(seed, How { told: true, ..How::default() });
    println!("{}\n\n{}\n", told.trace.join("\n"), told.story.join("\n"));
    for (invariant, how) in &told.broken {
        println!("seed {seed} breaks {invariant}: {how}");
    }
    println!("reproduce it: TENUTO_SEED={seed} cargo test -p command-handler -- simulation --nocapture");
    told
}

#[test]
fn whatever_happens_every_invariant_holds() {
    if let Some(seed) = number("TENUTO_SEED") {
        assert_eq!(tell(seed).broken, []);
        return;
    }
    let begin = Instant::now();
    let sum = runs(number("TENUTO_SEEDS").unwrap_or(SEEDS), How::default());
    let a_second = u128::from(sum.runs) * 1000 / begin.elapsed().as_millis().max(1);
    println!("{} seeds, {} orders, {} events; {a_second} seeds a second", sum.runs, sum.orders, sum.events);
    for (fault, count) in Fault::ALL.iter().zip(&sum.faults) {
        println!("{count:>10} × {}", fault.name());
    }
    if let Some(seed) = sum.broken {
        tell(seed);
        panic!("seed {seed} breaks an invariant");
    }
    let never = Fault::ALL.iter().zip(&sum.faults).filter(|(_, count)| **count == 0).map(|(fault, _)| fault.name());
    let never: Vec<&str> = never.collect();
    assert!(sum.runs < 1_000 || never.is_empty(), "never happened: {never:?}");
}

#[test]
fn the_same_seed_gives_the_same_history_to_the_byte() {
    let mut events = 0;
    for seed in 0..25 {
        let how = How { told: true, ..How::default() };
        let (one, other) = (run(seed, how), run(seed, how));
        let differs = one.trace.iter().zip(&other.trace).position(|(one, other)| one != other);
        if let Some(line) = differs {
            panic!("seed {seed} differs in line {line}: {:?} and {:?}", one.trace[line], other.trace[line]);
        }
        assert_eq!((one.trace.len(), one.faults), (other.trace.len(), other.faults), "seed {seed}");
        assert_eq!(one.log, other.log, "seed {seed}");
        assert!(!one.trace.is_empty());
        events += one.events;
    }
    // Some orders are refused for their size; a run of nothing else would compare nothing.
    assert!(events > 100, "{events}");
}

/// The first seed with which a bug is found, and the invariants that it breaks.
fn found(bug: Bug, invariant: &str) {
    let how = How { bug: Some(bug), told: false };
    for seed in 0..SEEDS_TO_A_BUG {
        let broken = run(seed, how).broken;
        if broken.iter().any(|(name, _)| *name == invariant) {
            return println!("{bug:?} breaks {invariant} with seed {seed}");
        }
    }
    panic!("{bug:?} was not found with {SEEDS_TO_A_BUG} seeds");
}

#[test]
fn performing_before_appending_is_found() {
    found(Bug::PerformsBeforeAppending, "append_first_perform_second");
    found(Bug::PerformsBeforeAppending, "no_answer_without_a_record");
}

#[test]
fn a_key_of_its_own_for_each_attempt_is_found() {
    found(Bug::AKeyForEachAttempt, "one_key_for_all_attempts");
    found(Bug::AKeyForEachAttempt, "each_effect_at_most_once");
}

#[test]
fn appends_that_do_not_fit_are_found() {
    found(Bug::AppendsThatDoNotFit, "every_decision_fits_its_append");
}

#[test]
fn leases_that_never_end_are_found() {
    found(Bug::LeasesNeverEnd, "every_order_ends_or_is_visibly_stuck");
}

#[test]
fn taking_still_running_for_no_is_found() {
    found(Bug::TakesRunningForNo, "only_a_no_undoes_an_order");
}

#[test]
fn filling_placeholders_everywhere_is_found() {
    found(Bug::FillsPlaceholdersEverywhere, "no_one_is_told_what_its_step_does_not_say");
    found(Bug::FillsPlaceholdersEverywhere, "what_is_told_is_what_there_is");
}
