//! Which operations an order's state allows. Each is decided as it would be, and nothing of it is
//! kept: a refusal here is the refusal that the command would get.

use serde_json::Value;

use super::decision::{DecideError, Decision};
use super::own_effect;
use crate::Timestamp;
use crate::ids::StepId;
use crate::order::command::{Command, Now, Operate, Signal};
use crate::order::event::Direction;
use crate::order::limits::Limits;
use crate::order::operation::Operation;
use crate::order::state::{Order, Stage};
use crate::workflow::{Step, Workflow};

/// What a person may do to an order or to one of its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OperationKind {
    /// [`Operation::Cancel`].
    Cancel,
    /// [`Operation::Note`].
    Note,
    /// [`Operation::Pause`].
    Pause,
    /// [`Operation::Resume`].
    Resume,
    /// [`Operation::Retry`].
    Retry,
    /// [`Operation::Skip`].
    Skip,
    /// Answer a step in place of a participant, or as the person that it waits for.
    Answer,
}

impl OperationKind {
    /// The name of the operation.
    pub fn as_str(self) -> &'static str {
        match self {
            OperationKind::Cancel => "cancel",
            OperationKind::Note => "note",
            OperationKind::Pause => "pause",
            OperationKind::Resume => "resume",
            OperationKind::Retry => "retry",
            OperationKind::Skip => "skip",
            OperationKind::Answer => "answer",
        }
    }
}

/// Whether an operation is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// The operation.
    pub operation: OperationKind,
    /// Its step; `None`: the order as a whole.
    pub step: Option<StepId>,
    /// Whether it is about the undo of the step.
    pub is_undo: bool,
    /// The outcomes that it may name; empty: it names none.
    pub outcomes: Vec<String>,
    /// Why it is refused; `None`: it is allowed.
    pub refusal: Option<String>,
}

/// The operations on the order as a whole.
pub fn operations(workflow: &Workflow, state: &Order, at: Timestamp) -> Vec<Allowance> {
    let probe = Probe { workflow, state, at };
    [
        (OperationKind::Cancel, Operation::Cancel),
        (OperationKind::Note, Operation::Note),
        (OperationKind::Pause, Operation::Pause),
        (OperationKind::Resume, Operation::Resume),
        (OperationKind::Retry, Operation::Retry { step: None }),
    ]
    .map(|(operation, asked)| {
        let refusal = probe.operate(asked).err();
        Allowance { operation, step: None, is_undo: false, outcomes: Vec::new(), refusal }
    })
    .into()
}

/// The operations on one step.
pub fn operations_on(workflow: &Workflow, state: &Order, step: &str, at: Timestamp) -> Vec<Allowance> {
    let Some(step) = workflow.step(step) else { return Vec::new() };
    let probe = Probe { workflow, state, at };
    vec![probe.retry(step), probe.skip(step), probe.answer(step)]
}

impl Order {
    /// The steps that have begun and are not settled: those that an operator may act on.
    pub fn unsettled(&self) -> impl Iterator<Item = &StepId> {
        let is_settled = |stage| matches!(stage, Stage::Completed | Stage::Skipped | Stage::Undone);
        self.steps.iter().filter(move |(_, step)| !is_settled(step.stage)).map(|(id, _)| id)
    }

    fn is_undoing(&self, step: &str) -> bool {
        self.steps.get(step).is_some_and(|known| {
            known.stage == Stage::UndoFailed || known.stage.open_direction() == Some(Direction::Undo)
        })
    }
}

/// Decides commands, and keeps nothing of them.
struct Probe<'a> {
    workflow: &'a Workflow,
    state: &'a Order,
    at: Timestamp,
}

impl Probe<'_> {
    fn retry(&self, step: &Step) -> Allowance {
        let refusal = self.operate(Operation::Retry { step: Some(step.id.clone()) }).err();
        self.allowance(OperationKind::Retry, step, refusal, Vec::new())
    }

    fn skip(&self, step: &Step) -> Allowance {
        let skip = |outcome: Option<&str>| {
            let (step, outcome) = (step.id.clone(), outcome.map(str::to_owned));
            self.operate(Operation::Skip { step, outcome, data: Value::Null })
        };
        self.with_outcomes(OperationKind::Skip, step, skip)
    }

    fn answer(&self, step: &Step) -> Allowance {
        let direction = if self.state.is_undoing(&step.id) { Direction::Undo } else { Direction::Do };
        let answer = |outcome: Option<&str>| {
            let (step, outcome) = (step.id.clone(), outcome.map(str::to_owned));
            // No answer has this key, so none is taken for a repetition.
            let key = Some("\0".to_owned());
            self.decide(&Command::Signal(Signal { step, direction, outcome, data: Value::Null, key, now: self.now() }))
        };
        self.with_outcomes(OperationKind::Answer, step, answer)
    }

    /// Tries each outcome, and none. The forward step may require one; an undo takes none.
    fn with_outcomes(
        &self,
        operation: OperationKind,
        step: &Step,
        attempt: impl Fn(Option<&str>) -> Result<(), String>,
    ) -> Allowance {
        let named = if self.state.is_undoing(&step.id) { &[][..] } else { step.outcomes.as_slice() };
        let outcomes: Vec<String> = named.iter().filter(|outcome| attempt(Some(outcome)).is_ok()).cloned().collect();
        let refusal = match named.first() {
            Some(_) if !outcomes.is_empty() => None,
            Some(first) => attempt(Some(first)).err(),
            None => attempt(None).err(),
        };
        self.allowance(operation, step, refusal, outcomes)
    }

    fn allowance(
        &self,
        operation: OperationKind,
        step: &Step,
        refusal: Option<String>,
        outcomes: Vec<String>,
    ) -> Allowance {
        let is_undo = self.state.is_undoing(&step.id);
        Allowance { operation, step: Some(step.id.clone()), is_undo, outcomes, refusal }
    }

    fn operate(&self, operation: Operation) -> Result<(), String> {
        let (actor, reason) = (String::new(), String::new());
        self.decide(&Command::Operate(Operate { operation, actor, reason, now: self.now() }))
    }

    /// Only the command's own effect is decided: its consequences refuse nothing.
    fn decide(&self, command: &Command) -> Result<(), String> {
        let mut decision = Decision::about(self.state, self.at, Limits::LOG, None);
        let decided = own_effect(self.workflow, self.state, command, &mut decision);
        decided.map_err(|error: DecideError| error.to_string())
    }

    fn now(&self) -> Now {
        Now { at: self.at, jitter: 0.5 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::DecideError;
    use crate::order::decide::{decide_next, tests::workflow};
    use crate::testing::{Story, answered, done, misconfigured, order, refused, unclear};

    const STEPS: &str = "steps:
  approve: { await: approval, outcomes: [approved, rejected], compensate-on: [rejected] }
  charge: { call: p.charge, undo: p.refund, retry: { attempts: 2 } }
  ship: { after: [approve, charge], request: p.ship, outcomes: [shipped, backordered], interim: { backordered: 1d } }";

    /// Operation, step, outcomes and refusal of everything that may be done to an order.
    fn all(workflow: &Workflow, story: &Story<'_>) -> Vec<Allowance> {
        let (state, at) = (story.state(), story.now().at);
        let steps = workflow.steps.iter().chain(&workflow.compensated);
        let of_steps = steps.flat_map(|step| operations_on(workflow, state, &step.id, at));
        operations(workflow, state, at).into_iter().chain(of_steps).collect()
    }

    fn allowed(found: &[Allowance]) -> Vec<(OperationKind, &str, Vec<&str>)> {
        let allowed = found.iter().filter(|allowance| allowance.refusal.is_none());
        allowed
            .map(|allowance| {
                let outcomes = allowance.outcomes.iter().map(String::as_str).collect();
                (allowance.operation, allowance.step.as_deref().unwrap_or_default(), outcomes)
            })
            .collect()
    }

    fn command(allowance: &Allowance, outcome: Option<&str>, now: Now) -> Command {
        let step = allowance.step.clone();
        let outcome = outcome.map(str::to_owned);
        let operation = match allowance.operation {
            OperationKind::Cancel => Operation::Cancel,
            OperationKind::Note => Operation::Note,
            OperationKind::Pause => Operation::Pause,
            OperationKind::Resume => Operation::Resume,
            OperationKind::Retry => Operation::Retry { step },
            OperationKind::Skip => Operation::Skip { step: step.unwrap(), outcome, data: Value::Null },
            OperationKind::Answer => {
                let direction = if allowance.is_undo { Direction::Undo } else { Direction::Do };
                let (step, key) = (step.unwrap(), Some("a new key".to_owned()));
                return Command::Signal(Signal { step, direction, outcome, data: Value::Null, key, now });
            }
        };
        Command::Operate(Operate { operation, actor: "ann".to_owned(), reason: "so".to_owned(), now })
    }

    /// Each allowance is what the decider says of the same command.
    fn is_as_decided(workflow: &Workflow, story: &Story<'_>) -> usize {
        let found = all(workflow, story);
        for allowance in &found {
            let named = allowance.step.as_deref().and_then(|step| workflow.step(step)).map(|step| &step.outcomes);
            let first = named.and_then(|outcomes| outcomes.first()).map(String::as_str);
            let outcome = allowance.outcomes.first().map(String::as_str).or(first.filter(|_| !allowance.is_undo));
            let decided = decide_next(workflow, Some(story.state()), &command(allowance, outcome, story.now()));
            match decided {
                Ok((events, _)) => assert!(!events.is_empty() && allowance.refusal.is_none(), "{allowance:?}"),
                Err(DecideError::Refused(refusal)) => {
                    assert_eq!(allowance.refusal, Some(refusal.to_string()), "{allowance:?}");
                }
                Err(error @ DecideError::Inconsistent(_)) => panic!("{error}"),
            }
        }
        found.len()
    }

    #[test]
    fn a_step_that_waits_for_a_person_can_be_answered_with_each_outcome_and_skipped() {
        use OperationKind::{Answer, Cancel, Note, Pause, Skip};
        let workflow = workflow(STEPS);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        story.answer("charge", done()).whatever();
        let found = all(&workflow, &story);
        let both = || vec!["approved", "rejected"];
        let expected = [
            (Cancel, "", vec![]),
            (Note, "", vec![]),
            (Pause, "", vec![]),
            (Skip, "approve", both()),
            (Answer, "approve", both()),
        ];
        assert_eq!(allowed(&found), expected);
        let retry = found.iter().find(|a| a.operation == OperationKind::Retry && a.step.is_none()).unwrap();
        assert_eq!(
            retry.refusal.as_deref(),
            Some("nothing to retry: no step of the order, which is WAITING, waits for another attempt or is stuck")
        );
        assert_eq!(story.state().unsettled().collect::<Vec<_>>(), ["approve"]);
    }

    #[test]
    fn a_step_with_an_interim_answer_takes_the_same_answer_again_and_the_last_one() {
        let workflow = workflow(STEPS);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        story.answer("charge", done()).whatever();
        story.signal("approve", "approved").whatever();
        story.answer("ship", answered("backordered")).whatever();
        let found = operations_on(&workflow, story.state(), "ship", story.now().at);
        assert_eq!((found[2].refusal.clone(), found[2].outcomes.len()), (None, 2));
    }

    #[test]
    fn what_is_allowed_is_what_the_decider_allows_in_every_state_of_an_order() {
        let workflow = workflow(STEPS);
        let mut checked = 0;
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        checked += is_as_decided(&workflow, &story);
        story.answer("charge", unclear("503")).whatever();
        checked += is_as_decided(&workflow, &story);
        let mut held = story.clone();
        held.operate(Operation::Retry { step: None }).whatever();
        held.answer("charge", misconfigured("401")).whatever();
        assert_eq!(held.state().state(), crate::order::State::Stuck);
        checked += is_as_decided(&workflow, &held);
        story.operate(Operation::Pause).whatever();
        checked += is_as_decided(&workflow, &story);
        story.operate(Operation::Resume).whatever();
        story.operate(Operation::Retry { step: None }).whatever();
        story.answer("charge", done()).whatever();
        let mut undone = story.clone();
        undone.signal("approve", "rejected").whatever();
        checked += is_as_decided(&workflow, &undone);
        undone.answer("charge", refused("no money back")).whatever();
        assert_eq!(undone.state().state(), crate::order::State::Stuck);
        checked += is_as_decided(&workflow, &undone);
        undone.operate(Operation::Skip { step: "charge".to_owned(), outcome: None, data: Value::Null }).whatever();
        assert!(undone.state().ended());
        checked += is_as_decided(&workflow, &undone);
        story.signal("approve", "approved").whatever();
        checked += is_as_decided(&workflow, &story);
        story.answer("ship", answered("shipped")).whatever();
        assert!(story.state().ended());
        checked += is_as_decided(&workflow, &story);
        assert_eq!(checked, 9 * 14);
    }
}
