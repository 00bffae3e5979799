//! The write side: the command endpoint, and the orchestrator, which drives orders.
//!
//! A command becomes a decision (`domain`), and a decision becomes one append to the order's
//! stream. Only then the instance acts. The instance that appended an attempt performs it: this is
//! the fast path, in memory, from append to append. The to-do list brings back orders whose driver
//! is gone, and orders that wait for a distant time: this is the safe path.
//!
//! ```text
//! POST /orders ──▶ http ──▶ Orchestrator ──▶ driver (one an order) ──▶ participants
//! ▲              │
//! todo, replies ──────┘              └──▶ Orders ──▶ the log
//! ```

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod admission;
mod answer;
#[cfg(test)]
mod answer_shapes;
mod batches;
mod callbacks;
mod clock;
mod controls;
mod deciding;
mod driver;
mod erasure;
#[cfg(test)]
mod fakes;
mod figures;
mod http;
mod idle_orders;
mod in_use;
mod instruction;
mod keys;
mod lock;
mod log;
mod orchestrator;
mod order_figures;
mod orders;
mod participants;
mod permits;
mod placing;
mod postponed;
mod replies;
mod second_person;
mod selection;
#[cfg(test)]
mod simulation;
mod todo;
mod webhooks;
mod workflows;

pub use admission::{Admission, AdmissionBounds, watch_bounds};
pub use batches::expire_batches;
pub use callbacks::{CallbackSecretsError, rotate_callback_secrets};
pub use clock::{Clock, SystemClock};
pub use controls::{Controls, Limits};
pub use erasure::CustomerOrders;
pub use figures::{HandlerFigures, metrics};
pub use http::{router, webhook_router};
pub use in_use::{Unreachable, Usage, look_for_unreachable, watch_unreachable};
pub use keys::{CustomerKeys, ImportError, Imported, KeptKey, KeyError, KeyTable, import_keys, keys_after};
pub use log::{Log, streams};
pub use orchestrator::{Accepted, Claim, CommandError, Orchestrator, OrchestratorOptions, PlaceError, WaitingRequest};
pub use participants::{
    ActionRequest, AllParticipants, CIRCUIT_STATES, Circuit, EventParticipants, HttpParticipants, NoAddress,
    Participants, RequestSigning, ServiceState, Settings,
};
pub use replies::{ReplyReaderOptions, ReplyTally, Taken, run_replies};
pub use selection::Selection;
pub use todo::{TodoList, TodoOptions, run_todo};
pub use webhooks::{WebhookSetup, Webhooks};
pub use workflows::{RegisterError, Registered, Registration, Workflows};

/// The orchestrator as it runs in production.
pub type Production = Orchestrator<event_store::EventStore, AllParticipants<event_store::EventStore>, SystemClock>;
