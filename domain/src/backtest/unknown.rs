//! What a history cannot tell.

use crate::ids::StepId;
use crate::order::Direction;

/// An answer that is needed, and that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The step that needs it.
    pub step: StepId,
    /// Doing or undoing.
    pub direction: Direction,
    /// Who would have been asked for what: `participant.action`.
    pub whom: String,
    /// Why it is not known.
    pub kind: UnknownKind,
}

/// Why an answer is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnknownKind {
    /// This was never asked of this order.
    NeverAsked,
    /// It was asked, and told something else, which matters.
    OtherInput,
    /// Fewer attempts were made then.
    NoFurtherAttempt,
    /// It was not waited for as long then, or given up.
    NotWaitedFor,
    /// The answer was not understood then, and what came with it was not recorded.
    NotRecorded,
    /// It hangs on personal data that cannot be read: they were erased, or are sealed.
    PersonalData,
    /// The history does not say what comes next here: the order is asked in a way that its past never was.
    OutOfStep,
}

impl UnknownKind {
    /// As it is written.
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

    /// For people, of something asked.
    pub fn in_words(self) -> &'static str {
        match self {
            UnknownKind::NeverAsked => "was never asked",
            UnknownKind::OtherInput => "was asked with other input",
            UnknownKind::NoFurtherAttempt => "was not asked that often",
            UnknownKind::NotWaitedFor => "was not waited for that long",
            UnknownKind::NotRecorded => "gave an answer that was not recorded whole",
            UnknownKind::PersonalData => "hangs on personal data that cannot be read",
            UnknownKind::OutOfStep => "was not asked in this way",
        }
    }
}
