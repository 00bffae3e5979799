//! An order's life: what is placed, what is decided about it, and what state that leaves it in.

mod content;
mod event;

pub use content::{Address, Customer, Line, NewOrder};
pub use event::{
    CompensationCompleted, CompensationStarted, Direction, Event, Mode, OrderCanceled, OrderCompleted, OrderPlaced,
    OrderStuck, PersonalData, StatusChanged, StepAccepted, StepAttemptFailed, StepCompleted, StepFailed, StepSkipped,
    StepStarted, WorkflowRef,
};
