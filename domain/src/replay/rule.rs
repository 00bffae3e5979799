//! The rule behind an event, and what made the rule apply. Timelines, the command line and golden
//! files show these sentences, so their wording stays.

use super::Recorded;
use crate::order::{
    Basis, CompensationStarted, Direction, Event, FailureCause, Order, Settlement, StepAttemptFailed, StepCompleted,
    StepFailed, StepStarted,
};
use crate::workflow::{Join, Step, Workflow};

/// A rule of the decider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The shop or an operator requested it.
    Asked,
    /// A participant or a person answered.
    Answered,
    /// The predecessors of a step are settled, and its guard holds, if it has one.
    Ready,
    /// A step is not needed.
    NotNeeded,
    /// Attempts remain, so another one follows.
    Retry,
    /// No attempt remains.
    RetriesUsedUp,
    /// The result of an attempt is not recorded.
    Lost,
    /// The request was never sent: the participant had no capacity in time, or its circuit is open.
    NotSent,
    /// A deadline passed.
    Deadline,
    /// The outcome is in `compensate-on`.
    CompensateOn,
    /// A step failed, so the order cannot be kept.
    StepFailed,
    /// An order under compensation gives up its waits.
    GivenUp,
    /// An expression had no value.
    NoValue,
    /// The latest completed step is undone first.
    UndoInReverse,
    /// The step sets this status.
    SetsStatus,
    /// No work remains.
    AllDone,
    /// What must not fail has failed.
    MustNotFail,
    /// A decision reached the limits of the log.
    Split,
}

/// A rule, and what made it apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The rule.
    pub rule: Rule,
    /// The reason for people, without a full stop.
    pub text: String,
}

impl Rule {
    /// The machine-readable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::Asked => "asked",
            Rule::Answered => "answered",
            Rule::Ready => "ready",
            Rule::NotNeeded => "not-needed",
            Rule::Retry => "retry",
            Rule::RetriesUsedUp => "retries-used-up",
            Rule::Lost => "lost",
            Rule::NotSent => "not-sent",
            Rule::Deadline => "deadline",
            Rule::CompensateOn => "compensate-on",
            Rule::StepFailed => "step-failed",
            Rule::GivenUp => "given-up",
            Rule::NoValue => "no-value",
            Rule::UndoInReverse => "undo-in-reverse",
            Rule::SetsStatus => "sets-status",
            Rule::AllDone => "all-done",
            Rule::MustNotFail => "must-not-fail",
            Rule::Split => "split",
        }
    }
}

/// Why an event was decided. `before` is the state before it, `first` the first event of its
/// decision.
pub(super) fn why(workflow: Option<&Workflow>, before: Option<&Order>, first: &Recorded, recorded: &Recorded) -> Why {
    let reason = Reason { workflow, before };
    let (rule, text) = match operator(first, recorded) {
        Some(text) => (Rule::Asked, text),
        None => reason.of(&recorded.event),
    };
    Why { rule, text }
}

/// The first event of an operator's command has the actor.
fn operator(first: &Recorded, recorded: &Recorded) -> Option<String> {
    let actor = recorded.metadata.actor.as_ref().filter(|_| first.revision == recorded.revision)?;
    // A person who answers a step acts like a participant.
    let answers = matches!(&recorded.event, Event::StepCompleted(e) if e.basis == Basis::Answer);
    let verb = if let Event::RequestSettled(e) = &recorded.event {
        e.how.as_str()
    } else if answers {
        "answered"
    } else {
        "asked for it"
    };
    Some(match &recorded.metadata.reason {
        Some(reason) => format!("{actor} {verb}: {reason}"),
        None => format!("{actor} {verb}"),
    })
}

struct Reason<'a> {
    workflow: Option<&'a Workflow>,
    before: Option<&'a Order>,
}

impl Reason<'_> {
    fn of(&self, event: &Event) -> (Rule, String) {
        match event {
            Event::OrderPlaced(_) => (Rule::Asked, "the shop placed it".to_owned()),
            Event::StepStarted(e) => self.started(e),
            Event::WaitStarted(e) => self.ready(&e.step),
            Event::StepAccepted(_) => (Rule::Answered, "the participant accepted, and answers later".to_owned()),
            Event::StepCompleted(e) => self.completed(e),
            Event::StepAttemptFailed(e) => self.attempt_failed(e),
            Event::StepFailed(e) => self.failed(e),
            Event::StepSkipped(e) => (Rule::NotNeeded, e.because.clone()),
            Event::StatusChanged(e) => (Rule::SetsStatus, format!("{} says `sets-status: {}`", e.step, e.status)),
            Event::RequestSettled(e) if e.how == Settlement::Expired => {
                (Rule::Deadline, "no one approved it in time".to_owned())
            }
            Event::OrderNoted(_)
            | Event::OperationRequested(_)
            | Event::RequestSettled(_)
            | Event::OrderPaused(_)
            | Event::OrderResumed(_) => (Rule::Asked, "an operator asked for it".to_owned()),
            Event::CompensationStarted(e) => self.undone(e),
            Event::CompensationCompleted(_) => (Rule::AllDone, "nothing is left to undo".to_owned()),
            Event::OrderCompleted(_) => (Rule::AllDone, "every step is completed or skipped".to_owned()),
            Event::OrderCanceled(_) => (Rule::AllDone, "all that follows the undoing is done".to_owned()),
            Event::DecisionSplit(_) => {
                (Rule::Split, "the rest does not fit into one append, and is decided next".to_owned())
            }
            Event::OrderStuck(e) => {
                if !self.is_being_undone() {
                    return (Rule::MustNotFail, format!("{} waits for a person to correct something", e.step));
                }
                let what = if e.direction == Direction::Undo { "an undo" } else { "what follows the undoing" };
                (Rule::MustNotFail, format!("{what} must not fail, and {} has", e.step))
            }
        }
    }

    fn step(&self, id: &str) -> Option<&Step> {
        self.workflow?.step(id)
    }

    fn started(&self, e: &StepStarted) -> (Rule, String) {
        if e.attempt > 1 {
            let due = self.before.and_then(|state| state.steps.get(&e.step)?.next_attempt_at());
            let due = due.map_or_else(String::new, |due| format!(", due since {}", due.format("%T%.3f")));
            return (Rule::Retry, format!("the attempt before it failed{due}"));
        }
        match e.direction {
            Direction::Do => self.ready(&e.step),
            Direction::Undo => {
                (Rule::UndoInReverse, format!("of what was done and is not yet undone, {} came last", e.step))
            }
        }
    }

    /// The predecessors, and the guard that held.
    fn ready(&self, id: &str) -> (Rule, String) {
        let Some(step) = self.step(id) else { return (Rule::Ready, "it was ready".to_owned()) };
        let join = if step.join == Join::Any && step.after.len() > 1 { "one of " } else { "" };
        let follows = match step.after.as_slice() {
            [] => "it follows nothing".to_owned(),
            after => {
                let stands = |id: &String| match self.before {
                    Some(state) => format!("{id} ({})", stands(state, id)),
                    None => id.clone(),
                };
                format!("it follows {join}{}", after.iter().map(stands).collect::<Vec<_>>().join(", "))
            }
        };
        let guard = step.when.as_ref().map(|guard| format!("; `{}` holds", guard.source())).unwrap_or_default();
        (Rule::Ready, format!("{follows}{guard}"))
    }

    fn completed(&self, e: &StepCompleted) -> (Rule, String) {
        match e.basis {
            Basis::Assumption => (Rule::Asked, "an operator skipped it, with this outcome".to_owned()),
            Basis::Deadline if self.step(&e.step).is_some_and(|step| step.on_timeout.is_some()) => {
                (Rule::Deadline, format!("no answer came in time, and `on-timeout: {}` says so", e.outcome))
            }
            Basis::Deadline => (Rule::Deadline, "its deadline has passed".to_owned()),
            Basis::Answer if e.open_until.is_some() => {
                (Rule::Answered, format!("{:?} is one of `interim`: another answer is to follow", e.outcome))
            }
            Basis::Answer => (Rule::Answered, "the participant answered".to_owned()),
        }
    }

    fn attempt_failed(&self, e: &StepAttemptFailed) -> (Rule, String) {
        if e.unsent {
            return (Rule::NotSent, "the request was never sent: it counts as no attempt".to_owned());
        }
        if e.lost {
            return (Rule::Lost, "its result was not recorded: it uses up no attempt".to_owned());
        }
        let failures = self.before.and_then(|state| state.steps.get(&e.step)).map_or(0, |known| known.failures) + 1;
        let of = self.step(&e.step).map_or_else(String::new, |step| format!(" of {}", step.retry.attempts));
        (Rule::Retry, format!("{failures}{of} attempts used, so there is another one"))
    }

    fn failed(&self, e: &StepFailed) -> (Rule, String) {
        let (rule, text) = match e.cause() {
            FailureCause::Refused => (Rule::Answered, "the participant refused, for good"),
            FailureCause::LastAttempt(_) | FailureCause::Misconfigured(_)
                if self.is_being_undone() && e.direction == Direction::Do =>
            {
                (Rule::GivenUp, "an order that is being undone retries no step")
            }
            FailureCause::LastAttempt(_) | FailureCause::Misconfigured(_) => {
                let attempts = self.step(&e.step).map_or_else(String::new, |step| format!(" {}", step.retry.attempts));
                return (Rule::RetriesUsedUp, format!("all{attempts} attempts are used up"));
            }
            FailureCause::Held(_) => (Rule::Answered, "a person must correct something before it can be done"),
            FailureCause::NeverSent(_) => (Rule::NotSent, "the request was not sent for a day: a person must decide"),
            FailureCause::AcceptedInVain => (Rule::Answered, "an action of this kind is answered at once"),
            FailureCause::UnknownOutcome(_) => (Rule::Answered, "the step does not know this outcome"),
            FailureCause::NoOutcome => (Rule::Answered, "the step requires an outcome"),
            FailureCause::Overdue => (Rule::Deadline, "the answer is overdue, and the step has no `on-timeout`"),
            FailureCause::GivenUp => (Rule::GivenUp, "an order that is being undone gives up its waits"),
            FailureCause::Lost => (Rule::Lost, "an order that is being undone retries no step"),
            FailureCause::NoValue => (Rule::NoValue, "an expression of the definition had no value"),
        };
        (rule, text.to_owned())
    }

    fn is_being_undone(&self) -> bool {
        self.before.is_some_and(|state| state.undone_because.is_some())
    }

    fn undone(&self, e: &CompensationStarted) -> (Rule, String) {
        let Some(id) = &e.step else { return (Rule::Asked, "an operator asked for it".to_owned()) };
        let outcome = self.before.and_then(|state| state.steps.get(id)?.outcome.as_ref());
        match (self.step(id), outcome) {
            (Some(step), Some(outcome)) if step.compensate_on.contains(outcome) => {
                (Rule::CompensateOn, format!("{outcome:?} is one of `compensate-on` of {id}"))
            }
            _ => (Rule::StepFailed, format!("{id} failed for good")),
        }
    }
}

/// The outcome or the status of a step, in one word.
fn stands(state: &Order, id: &str) -> String {
    let known = state.steps.get(id);
    match known.and_then(|known| known.outcome.as_ref()) {
        Some(outcome) => outcome.clone(),
        None => state.status_of(id).as_str().to_lowercase(),
    }
}
