//! How orders go on and end: something is always due, everything comes to an end, and operators are
//! obeyed.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use domain::Timestamp;
use domain::ids::{OrderId, StepId};
use domain::order::{Basis, Event, Operation, Order, Phase, evolve};

use super::Wrong;
use crate::simulation::record::{Entry, History, Record};

/// After every append, an order has ended, is stuck, or has something under way that will be looked
/// at again.
pub fn something_is_due_or_it_is_over(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        let mut state = None;
        for (index, entry) in history.entries.iter().enumerate() {
            let Ok(next) = evolve(state.take(), &entry.event) else { break };
            let ends_append = history.entries.get(index + 1).is_none_or(|next| next.append != entry.append);
            let is_over = next.ended() || next.stuck.is_some() || next.paused.is_some();
            if ends_append && !(is_over || is_under_way(&next)) {
                wrong.push(format!("{id}: after event {index} nothing is under way, and it is {}", next.state()));
            }
            state = Some(next);
        }
    }
    wrong
}

fn is_under_way(state: &Order) -> bool {
    let goes_on = state.split.is_some() || state.steps.values().any(|step| step.stage.is_open());
    goes_on && state.due_at().is_some()
}

/// In the end every order has ended, or tells why it needs a person.
pub fn every_order_ends_or_is_visibly_stuck(record: &Record) -> Wrong {
    let is_open = |(id, history): (&OrderId, &History)| {
        let state = history.state()?;
        let stuck = state.stuck_reason().is_some_and(|reason| !reason.is_empty());
        let over = state.ended() || ((stuck || state.paused.is_some()) && history.is_settled());
        // An order whose key is lost may wait for it.
        (!over && !record.is_key_lost(id)).then(|| format!("{id} is {}", state.state()))
    };
    record.orders.iter().filter_map(is_open).collect()
}

/// A request that cannot be sent is not tried for ever: after about a day it is held for an
/// operator. So the history stays short.
pub fn what_cannot_be_sent_is_held(record: &Record) -> Wrong {
    /// A day has fewer: the first tries follow closely, and later ones are two to four minutes
    /// apart.
    const MAX_TRIES: u32 = 1_000;
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        let mut tries: BTreeMap<&StepId, u32> = BTreeMap::new();
        for entry in &history.entries {
            match &entry.event {
                Event::StepAttemptFailed(e) if e.unsent => {
                    let tries = tries.entry(&e.step).or_default();
                    *tries += 1;
                    if *tries == MAX_TRIES {
                        wrong.push(format!("{id}: {} was tried {MAX_TRIES} times and never sent", e.step));
                    }
                }
                Event::StepStarted(_) => {}
                other => {
                    if let Some(step) = other.step() {
                        tries.remove(step);
                    }
                }
            }
        }
    }
    wrong
}

/// An order whose cancel was acknowledged ends undone, or needs a person; it is not completed.
pub fn a_cancel_is_kept(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for taken in record.operations_taken.iter().filter(|taken| taken.operation == Operation::Cancel) {
        let history = record.orders.get(&taken.order_id);
        let by_operator = |entry: &Entry| {
            matches!(&entry.event, Event::CompensationStarted(e) if e.step.is_none())
                && entry.recorded.revision <= taken.revision
                && entry.metadata.actor.is_some()
        };
        let is_there = history.is_some_and(|history| history.entries.iter().any(by_operator));
        let phase = history.and_then(History::state).map(|state| state.phase);
        if !is_there || matches!(phase, None | Some(Phase::Forward | Phase::Completed)) {
            wrong.push(format!("{taken:?} was acknowledged, and the order is {phase:?}"));
        }
    }
    wrong
}

/// While an order is paused, answers are taken down, and operators may act on it; nothing begins,
/// falls due or ends.
pub fn a_pause_holds(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        let mut paused = false;
        for entry in &history.entries {
            let begins_or_ends = match &entry.event {
                Event::OrderPaused(_) => {
                    paused = true;
                    false
                }
                Event::OrderResumed(_) | Event::CompensationStarted(_) => {
                    paused = false;
                    false
                }
                Event::StepCompleted(e) => e.basis == Basis::Deadline,
                // What an instance that leaves hands over is taken down too; making it again would
                // begin something.
                Event::OrderPlaced(_)
                | Event::OrderNoted(_)
                | Event::OperationRequested(_)
                | Event::RequestSettled(_)
                | Event::StepAccepted(_)
                | Event::StepAttemptFailed(_)
                | Event::StepFailed(_)
                | Event::StatusChanged(_)
                | Event::DecisionSplit(_) => false,
                Event::StepStarted(_)
                | Event::WaitStarted(_)
                | Event::StepSkipped(_)
                | Event::CompensationCompleted(_)
                | Event::OrderCompleted(_)
                | Event::OrderCanceled(_)
                | Event::OrderStuck(_) => true,
            };
            if paused && begins_or_ends {
                wrong.push(format!("{id} is paused, and {:?}", entry.event));
            }
        }
    }
    wrong
}

/// No deadline is over, and no attempt made again, before its time; a pause puts both off by its
/// length, so that nothing comes in a burst when it ends.
pub fn nothing_is_early(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        let mut waits: BTreeMap<&StepId, (Timestamp, Timestamp)> = BTreeMap::new();
        let (mut since, mut operated) = (None, 0);
        for entry in &history.entries {
            // Who wished it stands with the first event of a decision.
            if entry.metadata.actor.is_some() {
                operated = entry.append;
            }
            let (is_operated, at) = (entry.append == operated, entry.event.at());
            let ends = match &entry.event {
                Event::OrderPaused(_) => {
                    since = Some(at);
                    None
                }
                Event::OrderResumed(_) => {
                    for (begun, until) in waits.values_mut() {
                        *until += since.map_or(TimeDelta::zero(), |since: Timestamp| at - since.max(*begun));
                    }
                    since = None;
                    None
                }
                Event::StepAccepted(e) => {
                    waits.insert(&e.step, (at, e.deadline));
                    None
                }
                Event::WaitStarted(e) => {
                    waits.insert(&e.step, (at, e.deadline));
                    None
                }
                Event::StepAttemptFailed(e) => {
                    waits.insert(&e.step, (at, e.retry_at));
                    None
                }
                Event::StepStarted(e) => waits.remove(&e.step),
                Event::StepCompleted(e) => {
                    let until = waits.remove(&e.step).filter(|_| e.basis == Basis::Deadline);
                    if let Some(open_until) = e.open_until {
                        waits.insert(&e.step, (at, open_until));
                    }
                    until
                }
                Event::StepFailed(e) => {
                    waits.remove(&e.step);
                    None
                }
                _ => None,
            };
            if ends.is_some_and(|(_, until)| at < until) && !is_operated {
                wrong.push(format!("{id}: {:?} comes before {ends:?}", entry.event));
            }
        }
    }
    wrong
}
