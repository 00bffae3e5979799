//! Answers that a history does not contain.

use crate::ids::StepId;
use crate::order::Direction;

/// A missing answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The step that needs it.
    pub step: StepId,
    /// Do or undo.
    pub direction: Direction,
    /// The addressee: `participant.action`.
    pub addressee: String,
    /// Why it is unknown.
    pub kind: UnknownKind,
}

/// Why an answer is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnknownKind {
    /// The order never sent this request.
    NeverAsked,
    /// The order sent this request with another input, and the input matters.
    OtherInput,
    /// The order made fewer attempts.
    NoFurtherAttempt,
    /// The order waited for a shorter time, or gave the request up.
    NotWaitedFor,
    /// The recorded definition did not know the answer, and its data was not recorded.
    NotRecorded,
    /// The answer depends on personal data that cannot be read: they were erased, or are sealed.
    PersonalData,
    /// The history has no fitting event: the run sends the request in another way than the order
    /// did.
    OutOfStep,
}

impl UnknownKind {
    /// The machine-readable name.
    pub fn as_str(self) -> &'static str {
        match self {
            UnknownKind::NeverAsked => "never-asked",
            UnknownKind::OtherInput => "other-input",
            UnknownKind::NoFurtherAttempt => "no-further-attempt",
            UnknownKind::NotWaitedFor => "not-waited-for",
            UnknownKind::NotRecorded => "not-recorded",
            UnknownKind::PersonalData => "personal-data",
            UnknownKind::OutOfStep => "out-of-step",
        }
    }

    /// A sentence about a request, for people.
    pub fn in_words(self) -> &'static str {
        match self {
            UnknownKind::NeverAsked => "was never asked",
            UnknownKind::OtherInput => "was requested with another input",
            UnknownKind::NoFurtherAttempt => "was requested fewer times",
            UnknownKind::NotWaitedFor => "was waited for a shorter time",
            UnknownKind::NotRecorded => "gave an answer that was not completely recorded",
            UnknownKind::PersonalData => "depends on personal data that cannot be read",
            UnknownKind::OutOfStep => "was not requested in this way",
        }
    }
}
