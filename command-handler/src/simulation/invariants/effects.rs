//! What participants did: once, undone in reverse, and in keeping with how the order ended.

use std::collections::BTreeSet;

use domain::ids::{OrderId, StepId};
use domain::order::{Basis, Direction, Event, Order, Phase, Stage, StepFailed, StepStarted, WaitStarted, evolve};
use domain::workflow::Workflow;

use super::Wrong;
use crate::simulation::record::{History, Record};
use crate::simulation::response::{MISTAKE, STILL_RUNNING};

/// No participant did, or undid, the same thing twice.
pub fn each_effect_at_most_once(record: &Record) -> Wrong {
    let mut done = BTreeSet::new();
    let twice = record.effects.iter().filter(|effect| !done.insert((&effect.order_id, &effect.step, effect.direction)));
    twice.map(|effect| format!("done twice: {effect:?}")).collect()
}

/// A mistake of the deployment undoes no order. Nor does "it is still running" (409), except as the
/// answer to the last attempt. An undo that is answered so is tried again.
pub fn only_a_no_undoes_an_order(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        let Some(definition) = record.definition(id) else { continue };
        let mut state = None;
        for entry in &history.entries {
            if let (Event::StepFailed(e), Some(before)) = (&entry.event, &state) {
                wrong.extend(no_reason(e, before, &definition).map(|how| format!("{id}: {how}: {e:?}")));
            }
            let Ok(next) = evolve(state.take(), &entry.event) else { break };
            state = Some(next);
        }
    }
    wrong
}

fn no_reason(e: &StepFailed, before: &Order, definition: &Workflow) -> Option<&'static str> {
    // Once an order is being undone, nothing is tried forward any more.
    if e.misconfigured || (e.direction == Direction::Do && before.phase == Phase::Undoing) {
        return None;
    }
    let failures = before.steps.get(&e.step).map_or(0, |known| known.failures) + 1;
    let attempts = definition.step(&e.step).map_or(0, |step| step.retry.attempts);
    if e.error.starts_with(MISTAKE) {
        Some("a mistake of the deployment is taken for a no")
    } else if e.error.starts_with(STILL_RUNNING) && failures < attempts {
        Some("what is still running is taken for a no")
    } else {
        None
    }
}

/// What was undone is never done afterwards, so no undo overtakes what it undoes.
pub fn nothing_is_done_after_its_undo(record: &Record) -> Wrong {
    let mut undone = BTreeSet::new();
    let mut wrong = Wrong::new();
    for effect in &record.effects {
        let what = (&effect.order_id, &effect.step);
        match effect.direction {
            Direction::Undo => {
                undone.insert(what);
            }
            Direction::Do if undone.contains(&what) => wrong.push(format!("done after it was undone: {effect:?}")),
            Direction::Do => {}
        }
    }
    wrong
}

/// Of an order that is completed, every step that the log calls done was done, and none was undone;
/// of one that is canceled, everything was undone that was done and can be. What comes after the
/// undos was done, or the order is not over.
pub fn effects_match_the_end(record: &Record) -> Wrong {
    let done: BTreeSet<(&OrderId, &StepId, Direction)> =
        record.effects.iter().map(|effect| (&effect.order_id, &effect.step, effect.direction)).collect();
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        let (Some(state), Some(definition)) = (history.state(), record.definition(id)) else { continue };
        let was = |step: &StepId, direction| done.contains(&(id, step, direction));
        for step in &definition.steps {
            let (did, undid) = (was(&step.id, Direction::Do), was(&step.id, Direction::Undo));
            let stands = state.steps.get(&step.id).map(|known| known.stage);
            let (assumed_done, assumed_undone) =
                (assumed(history, &step.id, Direction::Do), assumed(history, &step.id, Direction::Undo));
            // A wait, or a person's answer, has no effect that a participant would know of.
            let said_done = stands == Some(Stage::Completed) && step.action.is_some();
            let fits = match state.phase {
                Phase::Completed => (did == said_done || (assumed_done && said_done)) && !undid,
                Phase::Canceled => did == undid || step.undo.is_none() || assumed_undone,
                Phase::Forward | Phase::Undoing | Phase::Compensated => true,
            };
            if !fits {
                wrong.push(format!(
                    "{id} is {}, its step {} is {stands:?}; done: {did}, undone: {undid}",
                    state.state(),
                    step.id
                ));
            }
        }
        for step in &definition.compensated {
            let stands = state.steps.get(&step.id).map(|known| known.stage);
            let fits = was(&step.id, Direction::Do) == (stands == Some(Stage::Completed))
                || assumed(history, &step.id, Direction::Do);
            if state.phase == Phase::Canceled && !fits {
                wrong.push(format!("{id} is canceled, and {} is {stands:?}", step.id));
            }
        }
    }
    wrong
}

/// Whether what the log says of a step rests on an assumption, or on time, and not on its answer.
fn assumed(history: &History, step: &StepId, direction: Direction) -> bool {
    history.entries.iter().any(|entry| {
        matches!(&entry.event, Event::StepCompleted(e)
            if e.step == *step && e.direction == direction && e.basis != Basis::Answer)
    })
}

/// What was done last is undone first, one thing after another, once nothing is done any more; all
/// of it, before the compensation is called complete.
pub fn undone_in_reverse(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        let Some(definition) = record.definition(id) else { continue };
        let mut undoing = Undoing::default();
        for entry in &history.entries {
            if let Some(how) = undoing.next(&entry.event, &definition) {
                wrong.push(format!("{id}: {how}"));
            }
        }
    }
    wrong
}

/// The undos of an order, as they go on.
#[derive(Default)]
struct Undoing {
    /// The steps that were done, or may have been, in the order in which they came to that.
    done: Vec<StepId>,
    /// What is being done, or undone.
    open: BTreeSet<StepId>,
    /// What has begun to be undone.
    undone: BTreeSet<StepId>,
}

impl Undoing {
    fn next(&mut self, event: &Event, definition: &Workflow) -> Option<String> {
        match event {
            // A first attempt that was not sent is made again under its number: each undo begins
            // once.
            Event::StepStarted(e) if e.direction == Direction::Undo && self.undone.insert(e.step.clone()) => {
                let can_be = |step: &&StepId| definition.step(step).is_some_and(|step| step.undo.is_some());
                let last = self.done.iter().rev().find(can_be).cloned();
                self.done.retain(|step| *step != e.step);
                let others: Vec<StepId> = self.open.iter().cloned().collect();
                self.open.insert(e.step.clone());
                (last.as_ref() != Some(&e.step) || !others.is_empty())
                    .then(|| format!("{} is undone; last done was {last:?}, and under way is {others:?}", e.step))
            }
            Event::StepStarted(StepStarted { step, .. }) | Event::WaitStarted(WaitStarted { step, .. }) => {
                self.open.insert(step.clone());
                None
            }
            Event::StepCompleted(e) => {
                if e.open_until.is_none() {
                    self.open.remove(&e.step);
                    if e.direction == Direction::Do {
                        // It may have failed before, and been tried again by an operator.
                        self.done.retain(|step| *step != e.step);
                    }
                    let step = definition.step(&e.step);
                    let says_no =
                        e.basis == Basis::Answer && step.is_some_and(|step| step.compensate_on.contains(&e.outcome));
                    if e.direction == Direction::Do && !says_no {
                        self.done.push(e.step.clone());
                    }
                }
                None
            }
            Event::StepFailed(e) => {
                self.open.remove(&e.step);
                if e.direction == Direction::Do {
                    // It may have been held before, as one that may have been done. Its
                    // participant's last word counts.
                    self.done.retain(|step| *step != e.step);
                    if e.maybe_done {
                        self.done.push(e.step.clone());
                    }
                }
                None
            }
            Event::CompensationCompleted(_) => {
                let left = self.done.iter().find(|step| definition.step(step).is_some_and(|step| step.undo.is_some()));
                let how = left.map(|step| format!("the compensation is complete, and {step} is not undone"));
                self.done.clear();
                how
            }
            _ => None,
        }
    }
}
