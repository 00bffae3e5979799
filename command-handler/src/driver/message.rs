//! What reaches an order's driver.

use std::sync::Arc;

use domain::order::{Command, Event};
use domain::workflow::Workflow;
use tokio::sync::oneshot;

use crate::orchestrator::results::{Accepted, CommandError};
use crate::orders::{Cause, LoadedOrder};

/// A message to an order's driver.
#[derive(Debug)]
pub(crate) enum Message {
    /// A command about the order, and where to send its result.
    Command(Box<Command>, Cause, oneshot::Sender<Result<Accepted, CommandError>>),
    /// The order is due, by the to-do list.
    Wake,
    /// The order was placed here, with these events. Another message may have started its driver
    /// before the log acknowledged them.
    Placed(Vec<Event>),
}

/// Why a driver starts.
#[derive(Debug)]
pub(crate) enum Start {
    /// The order was just placed here.
    Placed(Box<Placed>),
    /// A message for the order arrived.
    Asked,
}

/// An order that was just placed here.
#[derive(Debug)]
pub(crate) struct Placed {
    pub order: LoadedOrder,
    pub workflow: Arc<Workflow>,
    pub events: Vec<Event>,
}
