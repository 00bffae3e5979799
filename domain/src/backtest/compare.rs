//! Compares a run with the recorded history, and finds where they first differ.

use std::collections::HashMap;

use super::past::Past;
use super::requests::{Addressee, Milestone, RequestEvent, RequestEventKind, Seq};
use super::run::{Decided, Run, Source};
use super::{Difference, Standing, Verdict};
use crate::ids::StepId;
use crate::order::{Event, Order, fold_all, summary};

/// Returns the verdict on a finished run.
pub(super) fn compare(run: &Run<'_>) -> Verdict {
    let unknown = run.unknown();
    let mut parting = Differences { run, past: run.past, is_whole: unknown.is_empty(), found: Vec::new() };
    parting.look();
    match parting.first() {
        Some((seq, step)) => Verdict::Differs(Box::new(difference(run, seq, step, unknown.is_empty()))),
        None if unknown.is_empty() => Verdict::Same,
        None => Verdict::Unknown(unknown),
    }
}

/// Collects the differences between the run and the recorded history.
struct Differences<'a> {
    run: &'a Run<'a>,
    past: &'a Past,
    /// Nothing is unknown, so what the run has not done, it never does.
    is_whole: bool,
    /// For each difference: the recorded event, its rank (how near it is to the cause), and the
    /// step.
    found: Vec<(Seq, u8, Option<StepId>)>,
}

/// Ranks of differences on the same event: the lowest is nearest to the cause.
const ANSWER: u8 = 0;
const ASK: u8 = 1;
const ORDER: u8 = 2;
const MILESTONE: u8 = 3;

impl Differences<'_> {
    fn look(&mut self) {
        let refused = self.run.refused.iter().map(|(seq, step)| (*seq, ANSWER, Some(step.clone())));
        self.found.extend(refused);
        self.answers();
        self.missing_requests();
        self.reversed_requests();
        self.milestones();
    }

    /// The event and the step of the first difference.
    fn first(&self) -> Option<(Seq, Option<StepId>)> {
        let nearest = self.found.iter().min_by_key(|(seq, rank, _)| (*seq, *rank));
        nearest.map(|(seq, _, step)| (*seq, step.clone()))
    }

    /// Pairs of requests, by index: a request of the run, and the recorded request that it repeats.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.run.requests.iter().enumerate().filter(|(_, request)| request.addressee != Addressee::Time).filter_map(
            |(now, request)| match request.source {
                Source::Past(then) => Some((now, then)),
                Source::Rule(_) => self.overruled(now).map(|then| (now, then)),
                Source::Clock | Source::Unknown(_) => None,
            },
        )
    }

    /// A rule answers this request of the run. The recorded request of the same step still pairs
    /// with it.
    fn overruled(&self, now: usize) -> Option<usize> {
        let request = self.run.requests.get(now)?;
        let same = |then: &super::past::RecordedRequest| {
            then.step == request.step && then.direction == request.direction && then.addressee == request.addressee
        };
        self.past.requests.iter().position(same)
    }

    fn answers(&mut self) {
        for (now, then) in self.pairs().collect::<Vec<_>>() {
            let (ours, theirs) =
                (conclusions(&self.run.request_events, now), conclusions(&self.past.request_events, then));
            let step = self.run.requests.get(now).map(|request| request.step.clone());
            for index in 0..ours.len().max(theirs.len()) {
                let seq = match (ours.get(index), theirs.get(index)) {
                    (Some(our), Some(their)) if our.kind == their.kind => continue,
                    (Some(our), Some(their)) => our.seq.min(their.seq),
                    (Some(our), None) => our.seq,
                    (None, Some(their)) if self.is_whole => their.seq,
                    (None, _) => break,
                };
                self.found.push((seq, ANSWER, step));
                break;
            }
        }
    }

    fn missing_requests(&mut self) {
        if !self.is_whole {
            return;
        }
        let asked: Vec<usize> = self.pairs().map(|(_, then)| then).collect();
        for (index, request) in self.past.requests.iter().enumerate() {
            if request.addressee == Addressee::Time || asked.contains(&index) {
                continue;
            }
            let seq = self.past.request_events.iter().find(|event| event.request == index).map_or(0, |event| event.seq);
            self.found.push((self.past.cause(seq), ASK, Some(request.step.clone())));
        }
    }

    /// Finds two requests whose order is reversed: in the history, one was concluded before the
    /// other was sent; in the run, it is the other way round.
    fn reversed_requests(&mut self) {
        let (now, then) = (places(&self.run.request_events), places(&self.past.request_events));
        let placed = self.pairs().filter_map(|(ours, theirs)| Some((ours, *now.get(&ours)?, *then.get(&theirs)?)));
        let placed: Vec<(usize, Place, Place)> = placed.collect();
        for (_, first_now, first_then) in &placed {
            for (other, other_now, other_then) in &placed {
                if first_then.is_before(other_then) && other_now.is_before(first_now) {
                    let asked = self.run.request_events.get(other_now.asked);
                    let step = self.run.requests.get(*other).map(|request| request.step.clone());
                    self.found.push((asked.map_or(0, |event| event.seq), ORDER, step));
                }
            }
        }
    }

    fn milestones(&mut self) {
        let (ours, theirs) = (&self.run.milestones, &self.past.milestones);
        for index in 0..ours.len().max(theirs.len()) {
            let (seq, step) = match (ours.get(index), theirs.get(index)) {
                (Some(our), Some(their)) if our.kind == their.kind => continue,
                (Some(our), Some(their)) => {
                    let theirs_at = self.past.cause(their.seq);
                    if theirs_at < our.seq && self.is_whole { (theirs_at, place(their)) } else { (our.seq, place(our)) }
                }
                (Some(our), None) => (our.seq, place(our)),
                (None, Some(their)) if self.is_whole => (self.past.cause(their.seq), place(their)),
                (None, _) => return,
            };
            self.found.push((seq, MILESTONE, step));
            return;
        }
    }
}

fn place(milestone: &Milestone) -> Option<StepId> {
    milestone.step.clone()
}

fn conclusions(request_events: &[RequestEvent], request: usize) -> Vec<&RequestEvent> {
    request_events
        .iter()
        .filter(|event| event.request == request && matches!(event.kind, RequestEventKind::Concluded(_)))
        .collect()
}

/// When a request was sent, and when it was first concluded: indexes among the request events.
#[derive(Debug, Clone, Copy)]
struct Place {
    asked: usize,
    answered: Option<usize>,
}

impl Place {
    /// This request was concluded before the other was sent.
    fn is_before(&self, other: &Self) -> bool {
        matches!(self.answered, Some(answered) if answered < other.asked)
    }
}

/// The place of each request.
fn places(request_events: &[RequestEvent]) -> HashMap<usize, Place> {
    let mut places: HashMap<usize, Place> = HashMap::new();
    for (at, event) in request_events.iter().enumerate() {
        let place = places.entry(event.request).or_insert(Place { asked: at, answered: None });
        if matches!(event.kind, RequestEventKind::Concluded(_)) {
            place.answered = place.answered.or(Some(at));
        }
    }
    places
}

fn difference(run: &Run<'_>, seq: Seq, step: Option<StepId>, is_whole: bool) -> Difference {
    let now = run.decided.iter().filter(|(at, _)| *at == seq).flat_map(|(_, decided)| match decided {
        Decided::Events(events) => events.iter().map(summary).collect(),
        Decided::Refused(why) => vec![format!("refused: {why}")],
    });
    Difference {
        step,
        revision: seq as u64,
        then: run.past.decision(seq).iter().map(summary).collect(),
        now: now.collect(),
        ended_then: folded(&run.past.events).map(|state| standing(&state, true)).unwrap_or_default(),
        ended_now: standing(&run.state, is_whole),
    }
}

fn folded(events: &[Event]) -> Option<Order> {
    fold_all(events).ok().flatten()
}

fn standing(state: &Order, is_known: bool) -> Standing {
    Standing { status: state.status.clone(), state: state.state().as_str(), is_known }
}
