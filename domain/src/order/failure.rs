//! The sentences that events record about failures, and how to read them again.
//!
//! An event keeps its reason as a sentence for people. Replay and backtest need the cause behind
//! it, so this file alone writes and reads the sentences. They are a wire format: a changed
//! sentence would make old histories unreadable, and a test fixes each one. So they keep their
//! wording, whatever their style.

use uuid::Uuid;

use super::event::{StepAttemptFailed, StepFailed};
use crate::Timestamp;
use crate::workflow::Step;

/// Why a step failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureCause<'a> {
    /// The participant refused, in the exchange or later.
    Refused,
    /// There was no clear answer, and no further attempt: the retries were used up, or the order
    /// was being undone.
    LastAttempt(&'a str),
    /// A mistake of the deployment or of the definition, without a further attempt.
    Misconfigured(&'a str),
    /// The answer lacked the outcome that the step requires.
    NoOutcome,
    /// A person has to correct something first, so there was no retry.
    Held(&'a str),
    /// The request was not sent for so long that an operator has to decide.
    NeverSent(&'a str),
    /// The participant accepted a call, which cannot be answered later.
    AcceptedInVain,
    /// The step does not know the outcome; `None`: the sentence does not show the outcome exactly.
    UnknownOutcome(Option<&'a str>),
    /// No answer came in time.
    Overdue,
    /// Compensation gave up the wait.
    GivenUp,
    /// The instance that made the attempt is gone, and the order is being undone.
    Lost,
    /// An expression of the definition had no value, or its value is too large.
    NoValue,
}

const GIVEN_UP: &str = "given up, because the order is being undone";
const LOST: &str = "no answer was recorded: whoever made this attempt has gone";
const HANDED_OVER: &str = "handed over: the instance that had this attempt is leaving";
const TOO_LARGE: &str = " is too large to be recorded: ";
const NO_ANSWER: &str = "no answer in time";
const ACCEPTED: &str = "accepted with 202, to be answered later, where the answer has to come at once";
const NEVER_SENT: &str = "never sent since ";
const NO_OUTCOME: &str = "answered without an outcome, which the step requires";
const NONE_OF_ITS_OUTCOMES: &str = ", which is none of its outcomes: ";

/// The limit for an expression's error: it may contain a key, and a key may be as long as the data.
const MAX_ERROR_CHARS: usize = 500;

/// An error as an event records it.
pub(super) fn excerpt(error: &str) -> String {
    match error.char_indices().nth(MAX_ERROR_CHARS) {
        Some((end, _)) => format!("{}…", &error[..end]),
        None => error.to_owned(),
    }
}

pub(super) fn given_up() -> String {
    GIVEN_UP.to_owned()
}

pub(super) fn lost() -> String {
    LOST.to_owned()
}

pub(super) fn handed_over() -> String {
    HANDED_OVER.to_owned()
}

pub(super) fn no_answer() -> String {
    NO_ANSWER.to_owned()
}

pub(super) fn nothing_followed(outcome: &str) -> String {
    format!("nothing followed {outcome:?} in time")
}

pub(super) fn accepted_in_vain() -> String {
    ACCEPTED.to_owned()
}

pub(super) fn no_outcome() -> String {
    NO_OUTCOME.to_owned()
}

pub(super) fn unknown_outcome(step: &Step, outcome: &str) -> String {
    format!("answered {outcome:?}{NONE_OF_ITS_OUTCOMES}{}", step.outcomes.join(", "))
}

pub(super) fn never_sent(since: Timestamp, error: &str) -> String {
    format!("{NEVER_SENT}{} UTC: {error}", since.format("%F %T"))
}

pub(super) fn last_attempt(error: &str, attempt: u32) -> String {
    format!("{error} (attempt {attempt}, the last)")
}

pub(super) fn hidden_guard(key: Uuid) -> String {
    format!(
        "`when` needs personal data that cannot be read: key {key} is missing, or was destroyed; \
         bring the keys back (tenuto keys import) and retry the step, skip it, or cancel the order"
    )
}

pub(super) fn no_guard(error: impl std::fmt::Display) -> String {
    format!("`when` has no answer: {}", excerpt(&error.to_string()))
}

pub(super) fn no_input(name: &str, error: impl std::fmt::Display) -> String {
    format!("`with.{name}` has no value: {}", excerpt(&error.to_string()))
}

pub(super) fn too_large(name: &str, size: usize, most: usize) -> String {
    format!("`{name}`{TOO_LARGE}{size} bytes of JSON, where at most {most} are allowed")
}

impl StepFailed {
    /// The cause behind the sentence. A refusal with the text of another cause counts as that
    /// cause.
    pub fn cause(&self) -> FailureCause<'_> {
        let error = self.error.as_str();
        if self.unsent {
            let why = error.strip_prefix(NEVER_SENT).and_then(|rest| rest.split_once(" UTC: "));
            return FailureCause::NeverSent(why.map_or(error, |(_, why)| why));
        }
        if self.misconfigured {
            return match (last_attempt_in(error), mistake(error)) {
                (Some(error), _) => mistake(error),
                (None, FailureCause::Misconfigured(error)) => FailureCause::Held(error),
                (None, known) => known,
            };
        }
        // Only a participant's later refusal has a key.
        if self.answer_key.is_some() {
            return FailureCause::Refused;
        }
        match error {
            GIVEN_UP => FailureCause::GivenUp,
            LOST | HANDED_OVER => FailureCause::Lost,
            NO_ANSWER => FailureCause::Overdue,
            ACCEPTED => FailureCause::AcceptedInVain,
            _ if error.starts_with("nothing followed \"") && error.ends_with("\" in time") => FailureCause::Overdue,
            _ if self.is_too_large() => FailureCause::NoValue,
            _ if error.starts_with("`when` has no answer: ") || error.starts_with("`with.") => FailureCause::NoValue,
            _ => unknown_outcome_in(error)
                .or_else(|| last_attempt_in(error).map(FailureCause::LastAttempt))
                .unwrap_or(FailureCause::Refused),
        }
    }

    /// The class of the failure, for metrics and traces. `None`: an expression had no value, and
    /// nothing was asked.
    pub fn class(&self) -> Option<&'static str> {
        match self.cause() {
            FailureCause::Refused => Some("permanent"),
            FailureCause::LastAttempt(_) => Some("transient"),
            FailureCause::Overdue => Some("timeout"),
            FailureCause::Misconfigured(_)
            | FailureCause::NoOutcome
            | FailureCause::Held(_)
            | FailureCause::AcceptedInVain
            | FailureCause::UnknownOutcome(_) => Some("misconfigured"),
            FailureCause::NeverSent(_) => Some("unsent"),
            FailureCause::GivenUp => Some("given_up"),
            FailureCause::Lost => Some("lost"),
            FailureCause::NoValue => None,
        }
    }

    /// Whether the input of the step is larger than the log allows.
    pub(super) fn is_too_large(&self) -> bool {
        self.error.strip_prefix("`with`").is_some_and(|rest| rest.starts_with(TOO_LARGE))
    }
}

impl StepAttemptFailed {
    /// The class of the failure, for metrics and traces.
    pub fn class(&self) -> &'static str {
        match (self.lost, self.unsent, self.misconfigured) {
            (true, _, _) => "lost",
            (_, true, _) => "unsent",
            (_, _, true) => "misconfigured",
            (false, false, false) => "transient",
        }
    }

    /// The mistake behind the sentence, if a mistake failed the attempt.
    pub fn mistake(&self) -> Option<FailureCause<'_>> {
        self.misconfigured.then(|| mistake(&self.error))
    }
}

/// The kind of mistake. The decider itself finds three kinds in an answer.
fn mistake(error: &str) -> FailureCause<'_> {
    match unknown_outcome_in(error) {
        _ if error == ACCEPTED => FailureCause::AcceptedInVain,
        _ if error == NO_OUTCOME => FailureCause::NoOutcome,
        Some(cause @ FailureCause::UnknownOutcome(Some(_))) => cause,
        _ => FailureCause::Misconfigured(error),
    }
}

fn unknown_outcome_in(error: &str) -> Option<FailureCause<'_>> {
    let (outcome, _) = error.strip_prefix("answered \"")?.split_once(&format!("\"{NONE_OF_ITS_OUTCOMES}"))?;
    // An escaped outcome is not exactly the answered one.
    Some(FailureCause::UnknownOutcome((!outcome.contains('\\')).then_some(outcome)))
}

fn last_attempt_in(error: &str) -> Option<&str> {
    let (error, number) = error.strip_suffix(", the last)")?.rsplit_once(" (attempt ")?;
    number.parse::<u32>().ok().map(|_| error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Direction;
    use crate::workflow::Workflow;

    fn failed(error: String) -> StepFailed {
        let at = chrono::DateTime::UNIX_EPOCH;
        let (step, direction) = ("a".to_owned(), Direction::Do);
        StepFailed {
            step,
            direction,
            error,
            maybe_done: true,
            misconfigured: false,
            unsent: false,
            answer_key: None,
            at,
        }
    }

    #[test]
    fn a_mistake_of_the_deployment_is_recognised_by_its_flag_not_its_sentence() {
        for error in ["answered 401", "no answer in time"] {
            let failed = StepFailed { misconfigured: true, ..failed(last_attempt(error, 3)) };
            assert_eq!(failed.cause(), FailureCause::Misconfigured(error));
        }
        let held = StepFailed { misconfigured: true, ..failed("key 7 is missing".to_owned()) };
        assert_eq!(held.cause(), FailureCause::Held("key 7 is missing"));
    }

    #[test]
    fn an_unsent_request_is_recognised_by_its_flag_and_keeps_the_reason() {
        let error = never_sent(chrono::DateTime::UNIX_EPOCH, "its circuit is open since 10:00 UTC: 503");
        assert_eq!(error, "never sent since 1970-01-01 00:00:00 UTC: its circuit is open since 10:00 UTC: 503");
        let failed = StepFailed { misconfigured: true, unsent: true, ..failed(error) };
        assert_eq!(failed.cause(), FailureCause::NeverSent("its circuit is open since 10:00 UTC: 503"));
    }

    #[test]
    fn a_missing_outcome_is_recognised_by_its_sentence() {
        let failed = StepFailed { misconfigured: true, ..failed(last_attempt(&no_outcome(), 3)) };
        assert_eq!(failed.cause(), FailureCause::NoOutcome);
        assert_eq!(failed.error, "answered without an outcome, which the step requires (attempt 3, the last)");
    }

    #[test]
    fn recorded_sentences_are_fixed_for_ever_and_read_again() {
        let source = "workflow: w\nversion: 1\nparticipants: { p: { url: 'http://p' } }\nsteps: { a: { call: p.a, outcomes: [yes, no] } }";
        let workflow = Workflow::parse(source).unwrap();
        let step = &workflow.steps[0];
        for (written, sentence, cause) in [
            (given_up(), "given up, because the order is being undone", FailureCause::GivenUp),
            (lost(), "no answer was recorded: whoever made this attempt has gone", FailureCause::Lost),
            (handed_over(), "handed over: the instance that had this attempt is leaving", FailureCause::Lost),
            (no_answer(), "no answer in time", FailureCause::Overdue),
            (nothing_followed("maybe"), "nothing followed \"maybe\" in time", FailureCause::Overdue),
            (
                accepted_in_vain(),
                "accepted with 202, to be answered later, where the answer has to come at once",
                FailureCause::AcceptedInVain,
            ),
            (
                unknown_outcome(step, "perhaps"),
                "answered \"perhaps\", which is none of its outcomes: yes, no",
                FailureCause::UnknownOutcome(Some("perhaps")),
            ),
            (
                unknown_outcome(step, "a\"b"),
                "answered \"a\\\"b\", which is none of its outcomes: yes, no",
                FailureCause::UnknownOutcome(None),
            ),
            (last_attempt("503", 12), "503 (attempt 12, the last)", FailureCause::LastAttempt("503")),
            (no_guard("no such key"), "`when` has no answer: no such key", FailureCause::NoValue),
            (
                too_large("with", 1_000_001, 960_000),
                "`with` is too large to be recorded: 1000001 bytes of JSON, where at most 960000 are allowed",
                FailureCause::NoValue,
            ),
            (no_input("to", "no such key"), "`with.to` has no value: no such key", FailureCause::NoValue),
        ] {
            assert_eq!(written, sentence);
            assert_eq!(failed(written).cause(), cause);
        }
    }

    #[test]
    fn a_long_error_is_cut() {
        let long = "é".repeat(64 * 1024);
        for sentence in [no_guard(&long), no_input("to", &long)] {
            assert!(sentence.chars().count() < 600 && sentence.ends_with("é…"), "{}", sentence.len());
            assert_eq!(failed(sentence).cause(), FailureCause::NoValue);
        }
        assert_eq!(excerpt("short"), "short");
    }

    #[test]
    fn any_other_sentence_is_a_participants_refusal() {
        for error in [
            "409: no such card",
            "",
            "(attempt x, the last)",
            "answered \"x\"",
            "nothing followed \"maybe\"",
            "no answer followed \"maybe\" in time",
        ] {
            assert_eq!(failed(error.to_owned()).cause(), FailureCause::Refused, "{error}");
        }
    }

    #[test]
    fn a_failed_attempt_names_its_mistake() {
        let at = chrono::DateTime::UNIX_EPOCH;
        let attempt = |error: &str, misconfigured: bool| StepAttemptFailed {
            step: "a".to_owned(),
            direction: Direction::Do,
            attempt: 1,
            error: error.to_owned(),
            lost: false,
            unsent: false,
            misconfigured,
            maybe_done: false,
            retry_at: at,
            at,
        };
        for (error, mistake) in [
            (ACCEPTED, FailureCause::AcceptedInVain),
            (NO_OUTCOME, FailureCause::NoOutcome),
            (
                "answered \"perhaps\", which is none of its outcomes: yes, no",
                FailureCause::UnknownOutcome(Some("perhaps")),
            ),
            ("answered 401", FailureCause::Misconfigured("answered 401")),
        ] {
            assert_eq!(attempt(error, true).mistake(), Some(mistake));
            assert_eq!(attempt(error, false).mistake(), None);
        }
    }
}
