//! Histograms against exact quantiles, and what events say about how long something took.

use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::histogram::{MIN_SAMPLES, day};
use super::*;
use crate::Timestamp;
use crate::order::{Direction, Operation, evolve};
use crate::testing::{Story, answered, done, misconfigured, order, refused, unclear};
use crate::workflow::Workflow;

fn of(millis: &[i64]) -> Histogram {
    let mut histogram = Histogram::default();
    for took in millis {
        histogram.add(day(0), TimeDelta::milliseconds(*took));
    }
    histogram
}

fn millis(duration: Option<TimeDelta>) -> i64 {
    duration.expect("enough samples").num_milliseconds()
}

/// The least of the sorted durations that so many of a hundred do not exceed.
fn exact(sorted: &[i64], percent: usize, of: usize) -> i64 {
    sorted[(of * percent).div_ceil(100) - 1]
}

proptest! {
    #[test]
    fn quantiles_are_those_of_the_samples_and_at_most_a_64th_more(
        mut took in proptest::collection::vec(prop_oneof![0..200_i64, 0..100_000_000_000_i64], 19..400),
    ) {
        let histogram = of(&took);
        took.sort_unstable();
        let count = took.len();
        let pairs = [
            (millis(histogram.median()), exact(&took, 50, count)),
            (millis(histogram.bound()), exact(&took, 95, count + 1)),
        ];
        for (found, exact) in pairs {
            prop_assert!(found >= exact && (found - exact) * 64 <= exact, "{found} instead of {exact}");
        }
    }

    #[test]
    fn a_histogram_is_read_as_it_was_written(
        took in proptest::collection::vec((0..40_i64, 0..i64::MAX / 2_000_000), 0..200),
    ) {
        let mut histogram = Histogram::default();
        for (on, took) in took {
            histogram.add(day(on), TimeDelta::milliseconds(took));
        }
        prop_assert_eq!(Histogram::from_bytes(&histogram.to_bytes()), Some(histogram));
    }

    #[test]
    fn bytes_of_anything_else_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Some(histogram) = Histogram::from_bytes(&bytes) {
            let _ = (histogram.median(), histogram.bound());
        }
    }
}

#[test]
fn few_samples_give_no_bound_and_then_one_above_the_longest() {
    let mut took: Vec<i64> = (1..10).collect();
    assert_eq!(of(&took).bound(), None);
    took.push(10);
    assert_eq!((took.len() as u64, millis(of(&took).bound())), (MIN_SAMPLES, 15));
    took.extend(11..=18);
    assert_eq!(millis(of(&took).bound()), 27);
    took.push(19);
    assert_eq!(millis(of(&took).bound()), 19);
}

#[test]
fn many_earlier_samples_lose_half_of_their_weight_in_a_week() {
    let mut histogram = of(&vec![1000; 2000]);
    for _ in 0..1500 {
        histogram.add(day(7), TimeDelta::milliseconds(10));
    }
    // 1,000 are left of the 2,000.
    assert_eq!(millis(histogram.median()), 10);
    let mut histogram = of(&vec![1000; 2000]);
    for _ in 0..800 {
        histogram.add(day(7), TimeDelta::milliseconds(10));
    }
    assert!(millis(histogram.median()) >= 1000);
}

#[test]
fn the_last_samples_of_a_quiet_workflow_stay_however_old() {
    let mut histogram = of(&[1000; 30]);
    histogram.add(day(10_000), TimeDelta::milliseconds(1000));
    assert_eq!(millis(histogram.bound()), 1007);
    let mut histogram = of(&vec![1000; 5000]);
    histogram.add(day(10_000), TimeDelta::milliseconds(1));
    // 200 are left of the 5,000.
    for _ in 0..150 {
        histogram.add(day(10_000), TimeDelta::milliseconds(1));
    }
    assert_eq!(millis(histogram.median()), 1007);
}

#[test]
fn a_histogram_stays_small_for_years() {
    let mut histogram = Histogram::default();
    for on in 0..1000 {
        for number in 0..300 {
            histogram.add(day(on), TimeDelta::milliseconds((on * 300 + number) * 7919 % 10_000_000));
        }
    }
    let size = histogram.to_bytes().len();
    assert!(size < 4_500, "{size} bytes");
    assert_eq!(histogram.samples(), 300_000);
}

fn key(version: u32) -> EstimateKey {
    EstimateKey { workflow: "w".to_owned(), step: "pay".to_owned(), part: Part::Step, version }
}

fn sample(version: u32, took: i64) -> Sample {
    Sample { key: key(version), at: day(1), took: TimeDelta::milliseconds(took) }
}

#[test]
fn a_new_version_starts_from_the_one_before() {
    let mut estimates = Estimates::default();
    for position in 1..=20 {
        estimates.add(&sample(1, 50), position);
    }
    for position in 21..=29 {
        estimates.add(&sample(3, 80), position);
    }
    let bounds = |estimates: &Estimates| [1, 2, 3, 4].map(|version| millis(estimates.bound(&key(version))));
    assert_eq!(bounds(&estimates), [50, 50, 50, 50]);
    estimates.add(&sample(3, 80), 30);
    assert_eq!(bounds(&estimates), [50, 50, 120, 120]);
    assert_eq!(estimates.bound(&EstimateKey { part: Part::Rest, ..key(1) }), None);
}

#[test]
fn a_sample_counts_once() {
    let mut estimates = Estimates::default();
    assert!(estimates.add(&sample(1, 50), 0));
    assert!(!estimates.add(&sample(1, 50), 0));
    assert!(estimates.add(&sample(1, 50), 7));
    assert!(!estimates.add(&sample(1, 50), 5));
    assert_eq!(estimates.get(&key(1)).unwrap().histogram.samples(), 2);
}

const STEPS: &str = "workflow: w\nversion: 4
participants: { p: { url: 'http://localhost' } }
steps:
  pay: { call: p.pay }
  ship: { after: [pay], request: p.ship, timeout: 10d, outcomes: [sent, delayed], interim: { delayed: 20d } }
compensated:
  tell: { call: p.tell }
";

fn seconds(of: u64) -> Duration {
    Duration::from_secs(of)
}

/// The samples of an order's whole history: step, part, seconds.
fn samples_of(story: &Story<'_>) -> Vec<(String, Part, i64)> {
    let mut state = None;
    let mut found = Vec::new();
    for event in story.history() {
        let after = evolve(state, event).unwrap();
        let of_event = samples(event, &after);
        found.extend(of_event.into_iter().map(|s| (s.key.step, s.key.part, s.took.num_seconds())));
        state = Some(after);
    }
    found
}

fn found(samples: &[(&str, Part, i64)]) -> Vec<(String, Part, i64)> {
    samples.iter().map(|(step, part, took)| ((*step).to_owned(), *part, *took)).collect()
}

#[test]
fn a_step_takes_from_its_beginning_to_its_last_answer_with_all_attempts() {
    let workflow = Workflow::parse(STEPS).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.pass(seconds(2));
    story.answer("pay", unclear("not now")).whatever();
    story.tick_when_due().whatever();
    let retried = (story.now().at.timestamp() - 2).cast_unsigned();
    story.pass(seconds(10 - 2 - retried));
    story.answer("pay", done()).whatever();
    story.pass(seconds(100));
    story.answer("ship", answered("delayed")).whatever();
    story.pass(seconds(1000));
    story.signal("ship", "sent").whatever();
    let expected =
        [("pay", Part::Step, 10), ("ship", Part::Step, 1100), ("", Part::Rest, 1110), ("pay", Part::Rest, 1110)];
    assert_eq!(samples_of(&story), [found(&expected), found(&[("ship", Part::Rest, 1100)])].concat());
}

#[test]
fn a_pause_does_not_count() {
    let workflow = Workflow::parse(STEPS).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.pass(seconds(5));
    story.answer("pay", done()).whatever();
    story.pass(seconds(5));
    story.operate(Operation::Pause).whatever();
    story.pass(seconds(1000));
    story.operate(Operation::Resume).whatever();
    story.pass(seconds(20));
    story.answer("ship", answered("sent")).whatever();
    let expected = [
        ("pay", Part::Step, 5),
        ("ship", Part::Step, 25),
        ("", Part::Rest, 30),
        ("pay", Part::Rest, 30),
        ("ship", Part::Rest, 25),
    ];
    assert_eq!(samples_of(&story), found(&expected));
}

#[test]
fn what_ends_during_a_pause_is_no_sample() {
    let workflow = Workflow::parse(STEPS).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.operate(Operation::Pause).whatever();
    story.pass(seconds(1000));
    story.answer("pay", done()).whatever();
    assert_eq!(samples_of(&story), []);
}

#[test]
fn what_an_operator_ends_is_no_sample_and_the_hold_before_it_does_not_count() {
    let workflow = Workflow::parse(STEPS).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    while story.state().stuck.is_none() {
        if story.in_flight().is_empty() {
            story.tick_when_due().whatever();
        } else {
            story.answer("pay", misconfigured("no such path")).whatever();
        }
    }
    let tried = (story.now().at - story.state().placed.at).num_seconds();
    story.pass(seconds(5000));
    story.operate(Operation::Skip { step: "pay".into(), outcome: None, data: serde_json::Value::Null }).whatever();
    assert_eq!(samples_of(&story), []);
    story.pass(seconds(7));
    story.answer("ship", answered("sent")).whatever();
    let expected = [("ship", Part::Step, 7), ("", Part::Rest, tried + 7), ("pay", Part::Rest, tried + 7)];
    assert_eq!(samples_of(&story), [found(&expected), found(&[("ship", Part::Rest, 7)])].concat());
}

#[test]
fn an_order_that_is_undone_says_nothing_about_others_but_its_steps_do() {
    let workflow = Workflow::parse(STEPS).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.pass(seconds(3));
    story.answer("pay", refused("no money")).whatever();
    story.pass(seconds(4));
    story.answer("tell", done()).whatever();
    assert!(story.state().ended());
    assert_eq!(samples_of(&story), found(&[("pay", Part::Step, 3), ("tell", Part::Step, 4)]));
}

/// Estimates by which `pay` takes 10 seconds, the whole order 100, and `ship` and its rest 60.
fn known() -> Estimates {
    let mut estimates = Estimates::default();
    let of = |step: &str, part, took| {
        let key = EstimateKey { workflow: "w".to_owned(), step: step.to_owned(), part, version: 4 };
        Sample { key, at: day(0), took: TimeDelta::milliseconds(took) }
    };
    for position in 0..100 {
        for (step, part, took) in [
            ("pay", Part::Step, 10_111),
            ("", Part::Rest, 100_200),
            ("ship", Part::Step, 60_415),
            ("ship", Part::Rest, 60_415),
        ] {
            estimates.add(&of(step, part, took), position);
        }
    }
    estimates
}

fn second(of: Timestamp) -> i64 {
    of.timestamp()
}

fn expected(story: &Story<'_>, estimates: &Estimates) -> (Option<i64>, Vec<(String, i64)>) {
    let Expected { order, steps } = Expected::of(story.state(), estimates);
    (order.map(second), steps.into_iter().map(|(step, at)| (step, second(at))).collect())
}

#[test]
fn an_order_is_expected_by_what_is_known_of_its_last_step_or_of_the_whole() {
    let workflow = Workflow::parse(STEPS).unwrap();
    let estimates = known();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    assert_eq!(expected(&story, &Estimates::default()), (None, vec![]));
    assert_eq!(expected(&story, &estimates), (Some(100), vec![("pay".to_owned(), 10)]));
    story.pass(seconds(3));
    story.answer("pay", done()).whatever();
    assert_eq!(expected(&story, &estimates), (Some(63), vec![("ship".to_owned(), 63)]));
    story.pass(seconds(4));
    story.operate(Operation::Pause).whatever();
    assert_eq!(expected(&story, &estimates), (None, vec![]), "no one knows when it is resumed");
    story.pass(seconds(1000));
    story.operate(Operation::Resume).whatever();
    assert_eq!(expected(&story, &estimates), (Some(1063), vec![("ship".to_owned(), 1063)]));
    story.answer("ship", answered("sent")).whatever();
    assert_eq!(expected(&story, &estimates), (None, vec![]));
}

#[test]
fn an_order_that_is_undone_is_not_expected() {
    let workflow = Workflow::parse(STEPS).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("pay", refused("no money")).whatever();
    assert_eq!(expected(&story, &known()), (None, vec![]));
    assert!(story.state().steps["tell"].stage.is_open_in(Direction::Do));
}
