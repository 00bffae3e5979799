//! The faults of a run: the kinds, how often each happens, and how often it happened.

use std::sync::atomic::{AtomicU64, Ordering};

use super::dice::Dice;

/// Lists every kind of fault: its name, and in how many of a thousand cases it happens normally.
/// Faults that happen only as a consequence of others are never drawn.
macro_rules! faults {
    ($($(#[doc = $doc:literal])* $kind:ident = $name:literal, $per_mille:literal;)*) => {
        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Fault { $($(#[doc = $doc])* $kind,)* }

        impl Fault {
            /// All of them.
            pub const ALL: &[Fault] = &[$(Fault::$kind,)*];

            /// Its name in the report.
            pub fn name(self) -> &'static str {
                match self { $(Fault::$kind => $name,)* }
            }

            fn per_mille(self) -> u64 {
                match self { $(Fault::$kind => $per_mille,)* }
            }
        }
    };
}

faults! {
    /// An instance is killed, at a call of a port or between two.
    Crash = "crash", 0;
    /// An instance freezes, and wakes up after a while.
    Stall = "stall", 0;
    /// An instance stops, and another one takes its place.
    Leave = "graceful leave", 0;
    /// An instance's clock is set, forward or back.
    ClockJump = "clock jump", 0;
    /// A request does not arrive.
    LostRequest = "lost request", 30;
    /// An answer does not arrive.
    LostAnswer = "lost answer", 30;
    /// A request arrives twice.
    Duplicate = "duplicate", 30;
    /// A message takes so long that others overtake it, or that its receiver
    /// no longer waits.
    LateMessage = "late message", 30;
    /// An append fails, and nothing is appended.
    AppendFailure = "append failure", 20;
    /// An append succeeds, but its caller receives "unavailable".
    AppendUnknown = "append unknown", 20;
    /// An append succeeds after its caller received "unavailable".
    AppendLate = "append late", 10;
    /// An append came after that of another instance.
    AppendConflict = "append conflict", 0;
    /// A read of the log fails.
    ReadFailure = "read failure", 20;
    /// The to-do list does not answer, or its answer is lost.
    ListFailure = "list failure", 30;
    /// The to-do list lags far behind the log.
    ListLag = "list lag", 50;
    /// A lease ended with its order still due, and another instance took it over.
    LeaseExpiry = "lease expiry", 0;
    /// An attempt's turn at its participant comes late.
    LateTurn = "late turn", 30;
    /// An attempt's turn at its participant does not come.
    NoTurn = "no turn", 30;
    /// A participant is away for hours or days, and no attempt at it gets a turn.
    Away = "participant away", 0;
    /// A participant answers 5xx.
    ServerError = "5xx", 50;
    /// A participant says "later", and when.
    RetryAfter = "retry-after", 20;
    /// Something in front of a participant answers 4xx; the participant never received the
    /// request.
    ForeignRefusal = "foreign 4xx", 4;
    /// A participant refuses for good.
    Refusal = "4xx", 20;
    /// A participant accepts, and refuses later.
    LateRefusal = "late refusal", 20;
    /// A participant still works on an earlier attempt, and says so (409).
    StillRunning = "still running", 0;
    /// A mistake of the deployment turns one request away: a wrong path, a key that has expired.
    Mistake = "mistake", 8;
    /// A mistake of the deployment rejects every request, until it is corrected.
    BrokenDeployment = "broken deployment", 0;
    /// A participant acts, and its answer arrives as one that does not say so (303, 406).
    AnswerLostInForm = "answer lost in form", 5;
    /// A participant accepts an undo, and answers later.
    UndoAccepted = "undo accepted", 150;
    /// A participant that accepted an undo says later that it cannot be done.
    LateUndoRefusal = "late undo refusal", 100;
    /// A participant dies before, or after, it acted.
    NoAnswer = "no answer", 30;
    /// An attempt is given up after its deadline.
    Timeout = "timeout", 0;
    /// A participant says 202 where the answer has to come at once.
    WrongAcceptance = "wrong 202", 5;
    /// A participant gives an unknown outcome.
    UnknownOutcome = "unknown outcome", 10;
    /// A participant never gives the answer that it promised.
    NeverAnswers = "never answered", 30;
    /// A participant sends a later answer once more, although it was taken.
    AnsweredTwice = "answered twice", 100;
    /// A participant sends another answer under a key that it has used.
    OtherAnswer = "other answer", 50;
    /// Text from a participant or a shop looks like a placeholder.
    ForeignPlaceholder = "foreign placeholder", 150;
    /// The key of an order's personal data is lost.
    LostKey = "lost key", 0;
    /// A lost key is brought back.
    KeyBack = "key back", 0;
    /// An operator cancels an order.
    Cancel = "cancel", 0;
    /// An operator leaves a note on an order.
    Note = "note", 0;
    /// An operator asks for an operation that a second person has to approve.
    Ask = "ask for approval", 0;
    /// A second person approves it.
    Approve = "approve", 0;
    /// A second person declines it.
    Decline = "decline", 0;
    /// The operator withdraws it.
    Withdraw = "withdraw", 0;
    /// An operator holds an order.
    Pause = "pause", 0;
    /// An operator lets an order go on.
    Resume = "resume", 0;
    /// An operator has something tried again.
    Retry = "retry", 0;
    /// An operator assumes a step's answer.
    Skip = "skip", 0;
    /// A client places an order once more, although it was taken.
    PlacedTwice = "placed twice", 200;
}

/// How often each kind happened.
pub type Counts = Vec<u64>;

/// The faults of a run.
#[derive(Debug)]
pub struct Faults {
    rates: Vec<u64>,
    counts: Vec<AtomicU64>,
}

impl Faults {
    /// Most runs have some kinds only, so that each is also seen without the others; some have none
    /// at all.
    pub fn new(dice: &Dice) -> Self {
        let calm = dice.hits(50);
        let rate = |fault: &Fault| if calm { 0 } else { fault.per_mille() * dice.pick(&[0, 1, 1, 1, 4]) };
        Self {
            rates: Fault::ALL.iter().map(rate).collect(),
            counts: Fault::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// In how many of a thousand cases it happens.
    pub fn rate(&self, fault: Fault) -> u64 {
        self.rates[fault as usize]
    }

    /// It happened.
    pub fn note(&self, fault: Fault) {
        self.counts[fault as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often it happened.
    pub fn count(&self, fault: Fault) -> u64 {
        self.counts[fault as usize].load(Ordering::Relaxed)
    }

    /// How often each happened.
    pub fn counts(&self) -> Counts {
        Fault::ALL.iter().map(|fault| self.count(*fault)).collect()
    }
}
