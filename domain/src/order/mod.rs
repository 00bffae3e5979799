//! An order's life: its content, its commands and events, and its state.
//!
//! [`decide_next`] turns a [`Command`] into [`Event`]s, [`evolve()`] folds them into an
//! [`Order`], and [`pending()`] lists the due work of that state.

mod asked;
mod attempt_id;
mod clock;
mod command;
mod content;
mod customer_key;
mod decide;
mod event;
mod evolve;
mod failure;
mod limits;
#[cfg(test)]
mod limits_tests;
mod operation;
mod pending;
mod personal;
mod recorded_answer;
pub mod request;
mod request_ids;
mod sealed;
mod state;
#[cfg(test)]
mod state_tests;
mod summary;
#[cfg(test)]
mod transition_tests;

pub use attempt_id::AttemptId;
pub use clock::Clock;
pub use command::{
    Answer, Command, HandOver, LateRefusal, NotSent, Now, Operate, Place, Refusal, Reply, Request, Settle, Signal,
};
pub use content::{Address, Customer, Line, NewOrder, PersonalData};
pub use customer_key::{Contents, CustomerKey, NoKey, OpenError};
pub use decide::{
    Allowance, DecideError, MAX_UNSENT, OperationKind, decide_next, decide_within, is_by, operations, operations_on,
};
pub(crate) use decide::{
    MAX_RETRY_AFTER, UNDIVIDED, decide_split_like, max_slow_wait, max_wait, may_settle, order_seen_by, place_again,
};
pub use event::{
    Basis, CompensationCompleted, CompensationStarted, DecisionSplit, Direction, Event, Mode, OperationRequested,
    OrderCanceled, OrderCompleted, OrderNoted, OrderPaused, OrderPlaced, OrderResumed, OrderStuck, RequestSettled,
    Settlement, Start, StatusChanged, StepAccepted, StepAttemptFailed, StepCompleted, StepFailed, StepSkipped,
    StepStarted, WaitStarted, WorkflowRef,
};
pub use evolve::{IllegalTransition, evolve, fold_all};
pub use failure::FailureCause;
pub use limits::Limits;
pub(crate) use limits::json_size;
pub use operation::Operation;
pub use pending::{Attempt, Effect, GRACE, pending};
pub use personal::Placeholders;
pub use recorded_answer::RecordedAnswer;
pub use request_ids::{idempotency_key, reply_id, request_id};
pub use sealed::Sealed;
pub use state::{Order, Phase, RequestedAction, Stage, State, StepState, StepStatus, Stuck};
pub use summary::summary;
