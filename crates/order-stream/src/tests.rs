//! Histories with and without faults.

use std::cell::RefCell;

use bytes::Bytes;
use domain::order::{Event, State};
use domain::testing::{Story, done, order};
use domain::wire::{self, CHAIN_START, Context};
use domain::workflow::Workflow;
use event_store::{Position, ReadError, RecordedEvent};
use uuid::Uuid;

use super::*;

const STREAM: &str = "order-10248";

fn history() -> Vec<Event> {
    let source =
        "workflow: a\nversion: 1\nparticipants: { p: { url: 'http://localhost' } }\nsteps:\n  s: { call: p.act }\n";
    let workflow = Workflow::parse(source).unwrap();
    let mut story = Story::given(&workflow);
    let mut events = story.place(order()).events();
    events.extend(story.answer("s", done()).events());
    events
}

fn recorded(revision: u64, event: &Event) -> RecordedEvent {
    let context = Context { correlation_id: "10248".to_owned(), ..Context::default() };
    let encoded = wire::encode(event, Uuid::nil(), CHAIN_START, &context).unwrap();
    RecordedEvent {
        id: Uuid::nil(),
        stream: STREAM.to_owned(),
        revision,
        position: Position { commit: 100 + revision, prepare: 100 + revision },
        event_type: encoded.event_type.to_owned(),
        data: Bytes::from(encoded.data),
        metadata: Bytes::from(encoded.metadata),
        created: domain::Timestamp::UNIX_EPOCH,
    }
}

fn log() -> Vec<RecordedEvent> {
    (0..).zip(&history()).map(|(revision, event)| recorded(revision, event)).collect()
}

/// A log that keeps the reads.
struct Log {
    events: Vec<RecordedEvent>,
    reads: RefCell<Vec<(u64, usize)>>,
}

impl Log {
    fn of(events: Vec<RecordedEvent>) -> Self {
        Self { events, reads: RefCell::default() }
    }

    fn read(&self, from: u64, most: usize) -> Vec<RecordedEvent> {
        self.reads.borrow_mut().push((from, most));
        let events = self.events.iter().filter(|event| event.revision >= from);
        events.take(most).cloned().collect()
    }

    /// The revisions from `first` up to `end`, or the first fault.
    async fn revisions(&self, first: u64, end: u64) -> Result<Vec<u64>, StreamError<ReadError>> {
        let mut stream = OrderStream::new(async |from, most| Ok(self.read(from, most))).starting_at(first).before(end);
        let mut revisions = Vec::new();
        while let Some(event) = stream.next().await? {
            revisions.push(event.recorded.revision);
        }
        Ok(revisions)
    }
}

#[tokio::test]
async fn a_long_history_is_read_page_by_page_and_each_event_once() {
    let placed = &history()[0];
    let log = Log::of((0..1_201).map(|revision| recorded(revision, placed)).collect());
    assert_eq!(log.revisions(0, u64::MAX).await.unwrap(), (0..1_201).collect::<Vec<u64>>());
    assert_eq!(*log.reads.borrow(), [(0, PAGE), (500, PAGE), (1_000, PAGE)]);
}

#[tokio::test]
async fn no_more_is_read_than_the_range_has() {
    let log = Log::of((0..20).map(|revision| recorded(revision, &history()[0])).collect());
    assert_eq!(log.revisions(0, 8).await.unwrap().len(), 8);
    assert_eq!(log.revisions(6, 8).await.unwrap(), [6, 7]);
    assert_eq!(log.revisions(8, 8).await.unwrap(), [0; 0]);
    assert_eq!(*log.reads.borrow(), [(0, 8), (6, 2)]);
}

#[tokio::test]
async fn a_missing_revision_is_a_fault_at_the_beginning_and_in_the_middle() {
    for (kept, missing) in [(vec![2, 3], (0, 1)), (vec![0, 3], (1, 2))] {
        let events = log().into_iter().filter(|event| kept.contains(&event.revision)).collect();
        let fault = Log::of(events).revisions(0, u64::MAX).await.unwrap_err();
        let StreamError::Order(OrderFault::Missing { stream, from, to }) = fault else { panic!("{fault}") };
        assert_eq!((stream.as_str(), (from, to)), (STREAM, missing));
    }
}

#[tokio::test]
async fn an_error_of_the_log_is_passed_on() {
    let read = |_, _| async { Err::<Vec<RecordedEvent>, _>(ReadError::StreamDeleted(STREAM.to_owned())) };
    let error = OrderStream::new(read).next().await.unwrap_err();
    assert!(matches!(error, StreamError::Log(ReadError::StreamDeleted(_))), "{error}");
}

#[test]
fn all_events_of_an_order_fold_to_its_state() {
    let folded = fold(&log()).unwrap().unwrap();
    assert_eq!((folded.state.state(), folded.revision, folded.position.commit), (State::Completed, 3, 103));
    assert!(fold(&[]).unwrap().is_none());
}

#[test]
fn an_event_that_does_not_fit_the_state_is_a_fault_with_its_place() {
    let fault = fold(&log()[1..]).unwrap_err();
    assert_eq!(fault.to_string(), format!("event 1 of {STREAM} does not fit: {}", fault.reason()));
    assert!(matches!(fault, OrderFault::IllegalTransition { revision: 1, .. }), "{fault}");
}

#[test]
fn an_event_of_another_application_is_distinguished_from_a_damaged_one() {
    let mut event = recorded(3, &history()[0]);
    event.data = Bytes::from_static(b"{}");
    assert!(matches!(decode(&event), Err(OrderFault::Undecodable { revision: 3, .. })));
    event.metadata = Bytes::from_static(b"{}");
    assert!(matches!(decode(&event), Err(OrderFault::Foreign { revision: 3, .. })));
    assert!(!is_foreign(&event), "only a first event decides whose stream it is");
    event.revision = 0;
    assert!(is_foreign(&event));
}
