use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::ids::OrderId;
use crate::order::{Direction, Event, Operation, Reply};
use crate::replay::Recorded;
use crate::testing::{Story, done, misconfigured, order, refused, unclear};
use crate::wire::Metadata;
use crate::workflow::Workflow;

const SHOP: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const WORKFLOW: &str = "
workflow: traced
version: 3
participants: { p: { url: 'http://p' } }
steps:
  charge: { call: p.charge, undo: p.refund, retry: { attempts: 3, initial: 1s } }
  ship:
    after: [charge]
    request: p.ship
    undo: p.return
    timeout: 3d
    outcomes: [shipped, backordered, lost]
    interim: { backordered: 30d }
    compensate-on: [lost]
  approve: { after: [charge], await: approval, timeout: 5d }
  rest: { after: [ship, approve], wait: 2h }
  tell: { after: [rest], call: p.tell }
";

/// A story as the log has it.
fn recorded(story: &Story<'_>, traceparent: Option<&str>) -> Vec<Recorded> {
    let metadata = |event: &Event| Metadata {
        correlation_id: "1".to_owned(),
        causation_id: None,
        traceparent: traceparent.map(str::to_owned),
        approved_by: None,
        actor: matches!(event, Event::OrderPaused(_)).then(|| "ann".to_owned()),
        reason: None,
        schema: 1,
        hash: "hash".to_owned(),
    };
    let event = |(revision, event): (u64, &Event)| Recorded {
        id: Uuid::from_u128(u128::from(revision) + 7),
        revision,
        event: event.clone(),
        metadata: metadata(event),
    };
    (0..).zip(story.history()).map(event).collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn one<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found = named(spans, name);
    assert_eq!(found.len(), 1, "{name} in {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
    found[0]
}

#[test]
fn a_retried_back_ordered_and_compensated_order_is_one_tree_below_the_shops_span() {
    let workflow = Workflow::parse(WORKFLOW).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("charge", unclear("503 for Vins et alcools")).whatever();
    story.tick_when_due().whatever();
    story.answer("charge", done()).whatever();
    story.answer("ship", Reply::Accepted).whatever();
    story.signal("ship", "backordered").whatever();
    story.pass(Duration::from_hours(30));
    story.signal("ship", "lost").whatever();
    while !story.state().ended() {
        let step = story.in_flight().remove(0).step;
        story.answer(&step, done()).whatever();
    }
    let history = recorded(&story, Some(SHOP));
    let spans = project(&history, SampleRatio::ALL);
    check(&spans);
    let root = one(&spans, "order traced");
    assert_eq!(root.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(root.parent.unwrap().to_string(), "00f067aa0ba902b7");
    assert_eq!((root.error, root.text("tenuto.order.state")), (Some("compensated"), Some("CANCELED")));
    let charge = one(&spans, "step charge");
    let attempts = named(&spans, "p.charge");
    assert_eq!(attempts.iter().map(|span| span.error).collect::<Vec<_>>(), [Some("transient"), None]);
    assert!(attempts.iter().all(|span| span.parent == Some(charge.id)));
    assert_eq!(charge.events[0].name, "retry planned");
    let waits = named(&spans, "answer awaited");
    assert_eq!(waits.len(), 2, "before and after the interim outcome");
    let compensation = one(&spans, "compensation");
    let undone = one(&spans, "undo charge");
    assert_eq!((undone.parent, compensation.parent), (Some(compensation.id), Some(root.id)));
    assert_eq!(compensation.links, [Link { span: waits[1].id }], "it follows from what was awaited for days");
    let told = format!("{spans:?}");
    for personal in ["Vins", "vinet", "VINET", "503"] {
        assert!(!told.contains(personal), "{personal} in {told}");
    }
}

#[test]
fn an_open_order_has_its_ended_spans_and_those_that_last() {
    let workflow = Workflow::parse(WORKFLOW).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("charge", done()).whatever();
    story.operate(Operation::Pause).whatever();
    let spans = project(&recorded(&story, None), SampleRatio::ALL);
    check(&spans);
    let lasting: BTreeSet<&str> = spans.iter().filter(|s| s.end.is_none()).map(|s| s.name.as_str()).collect();
    let expected = ["order traced", "p.ship", "paused", "person awaited", "step approve", "step ship"];
    assert_eq!(lasting, expected.into());
    let root = one(&spans, "order traced");
    assert_eq!(root.parent, None);
    assert_eq!(root.events.iter().map(|event| event.name).collect::<Vec<_>>(), ["operator action"]);
}

#[test]
fn ids_derive_from_the_order_and_never_change() {
    let order = OrderId::new("10248").unwrap();
    let context = TraceContext::of_order(&order, None, SampleRatio::ALL);
    let attempt = SpanId::of_attempt(&order, Uuid::from_u128(1));
    assert_eq!(context.traceparent(attempt), "00-036d86ccccb1ac3aac460b16575f5cfb-74c722fdefe3a46f-01");
    let other = OrderId::new("10249").unwrap();
    assert_ne!(TraceContext::of_order(&other, None, SampleRatio::ALL).trace, context.trace);
    assert_ne!(SpanId::of_attempt(&other, Uuid::from_u128(1)), attempt);
    assert_ne!(SpanId::of_attempt(&order, Uuid::from_u128(2)), attempt);
}

#[test]
fn the_shop_decides_what_is_sampled_and_otherwise_the_ratio() {
    let id = |number: u32| OrderId::new(number.to_string()).unwrap();
    let none: SampleRatio = "0".parse().unwrap();
    let of = |traceparent: &str, ratio| TraceContext::of_order(&id(1), Some(traceparent), ratio);
    assert!(of(SHOP, none).is_sampled);
    let unsampled = SHOP.replace("-01", "-00");
    assert!(!of(&unsampled, SampleRatio::ALL).is_sampled);
    assert!(of(&unsampled, SampleRatio::ALL).traceparent(SpanId::of_attempt(&id(1), Uuid::nil())).ends_with("-00"));
    // A later version may have more flags and more fields.
    assert!(of("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more", none).is_sampled);
    for invalid in ["", "x", "00-0-0-01", &SHOP.replace("4bf92f", "4BF92F"), &format!("{SHOP}-more"), &"é".repeat(28)]
    {
        assert_eq!(of(invalid, SampleRatio::ALL), TraceContext::of_order(&id(1), None, SampleRatio::ALL), "{invalid}");
    }
    let quarter: SampleRatio = "0.25".parse().unwrap();
    let sampled = (0..4_000).filter(|number| TraceContext::of_order(&id(*number), None, quarter).is_sampled).count();
    assert!((900..1_100).contains(&sampled), "{sampled} of 4,000");
    assert!((0..100).all(|number| !TraceContext::of_order(&id(number), None, none).is_sampled));
    for wrong in ["", "-0.1", "1.1", "NaN", "all"] {
        assert_eq!(wrong.parse::<SampleRatio>(), Err(NotARatio), "{wrong}");
    }
}

/// The spans of an order are one tree, and each lies within its parent.
#[track_caller]
fn check(spans: &[Span]) {
    let by_id: BTreeMap<SpanId, &Span> = spans.iter().map(|span| (span.id, span)).collect();
    assert_eq!(by_id.len(), spans.len(), "no id twice");
    assert_eq!(spans.iter().filter(|span| span.kind == Kind::Order).count(), 1);
    for span in spans {
        assert_eq!(span.trace, spans[0].trace);
        assert!(span.end.is_none_or(|end| end >= span.start), "{span:?}");
        if span.kind == Kind::Order {
            continue;
        }
        let parent = by_id[&span.parent.unwrap()];
        assert!(span.start >= parent.start, "{span:?} begins before {parent:?}");
        match (span.end, parent.end) {
            (_, None) => {}
            (Some(end), Some(parent_end)) => assert!(end <= parent_end, "{span:?} ends after {parent:?}"),
            (None, Some(_)) => panic!("{span:?} lasts longer than {parent:?}"),
        }
        let earlier = |link: &Link| by_id[&link.span].end.is_some_and(|end| end <= span.start);
        assert!(span.links.iter().all(earlier), "{span:?} follows from a later span");
    }
}

/// Something happens to an order; whether it is refused does not matter.
fn act(story: &mut Story<'_>, choice: u8) {
    const STEPS: [&str; 5] = ["charge", "ship", "approve", "rest", "tell"];
    let step = STEPS[usize::from(choice / 16) % STEPS.len()];
    let flight = story.in_flight();
    let in_flight = flight.get(usize::from(choice / 16) % flight.len().max(1)).map(|attempt| attempt.step.clone());
    let operation = match choice % 16 {
        0..=4 => {
            let Some(step) = in_flight else { return };
            let reply = match choice % 16 {
                0 => done(),
                1 => unclear("later"),
                2 => refused("no"),
                3 => misconfigured("401"),
                _ => Reply::Accepted,
            };
            return story.answer(&step, reply).whatever();
        }
        5 => return story.signal(step, "shipped").whatever(),
        6 => return story.signal(step, "backordered").whatever(),
        7 => return story.signal(step, "lost").whatever(),
        8 => return story.refuse_later(step, Direction::Do, "no").whatever(),
        9 | 10 => return story.tick_after(Duration::from_secs(30)).whatever(),
        11 => return story.tick_after(Duration::from_hours(40)).whatever(),
        12 => Operation::Pause,
        13 => Operation::Resume,
        14 => Operation::Retry { step: None },
        _ if choice > 200 => Operation::Cancel,
        _ => Operation::Skip { step: step.to_owned(), outcome: None, data: Value::Null },
    };
    story.operate(operation).whatever();
}

proptest! {
    #[test]
    fn spans_are_one_tree_and_no_later_event_contradicts_one_that_ended(choices in proptest::collection::vec(any::<u8>(), 1..60)) {
        let workflow = Workflow::parse(WORKFLOW).unwrap();
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        for choice in choices {
            if !story.state().ended() {
                act(&mut story, choice);
            }
        }
        let history = recorded(&story, Some(SHOP));
        let all = project(&history, SampleRatio::ALL);
        for end in 1..=history.len() {
            let spans = project(&history[..end], SampleRatio::ALL);
            check(&spans);
            for ended in spans.iter().filter(|span| span.end.is_some()) {
                prop_assert!(all.contains(ended), "{ended:?}");
            }
        }
        if story.state().ended() {
            prop_assert!(all.iter().all(|span| span.end.is_some()));
        }
        for Recorded { id, event, .. } in &history {
            if matches!(event, Event::StepStarted(_)) {
                let attempt = SpanId::of_attempt(&OrderId::new("1").unwrap(), *id);
                prop_assert!(all.iter().any(|span| span.id == attempt && span.kind == Kind::Attempt));
            }
        }
    }
}
