//! Traces of orders, for OpenTelemetry: sends spans to a collector ([`Export`]), and shows the
//! trace of an order ([`command`]).
//!
//! `domain::trace` turns a history into spans. The export receives the events of orders from the
//! projector, after their batch is committed, and sends each span when it ends. So the checkpoint
//! of the views is the checkpoint of the export, and comes before it:
//!
//! - **At most once.** A span is sent after the checkpoint has passed the event that ends it. What
//!   a crash loses is not sent again; `tenuto trace --send` does that.
//! - **Orders come first.** The projector never waits for the export. Past the bounds of the
//!   queues, events and spans are dropped and counted.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the reader has closed the pipe; use `command_line::output`"
)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod collector;
pub mod command;
mod encoding;
mod error;
mod export;
mod figures;
mod json;
mod messages;
mod open_orders;
mod options;
mod sending;
mod tree;

pub use error::TraceError;
pub use export::Export;
pub use figures::{Figures, METRICS};
pub use messages::opentelemetry::proto as otlp;
pub use options::{CollectorArgs, CollectorFault, Sampling};
