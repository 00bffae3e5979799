//! What reaches an order's driver.

use std::sync::Arc;

use domain::order::{Command, Event};
use domain::workflow::Workflow;
use tokio::sync::oneshot;

use crate::orchestrator::results::{Accepted, CommandError};
use crate::orders::{Cause, Order};

/// What an order's driver is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// Something is asked of the order, and where to say what became of it.
    Command(Box<Command>, Cause, oneshot::Sender<Result<Accepted, CommandError>>),
    /// The to-do list says that something is due.
    Wake,
    /// It was placed here, with these events, and somebody may have had it driven before its taker heard back from the log.
    Placed(Vec<Event>),
}

/// How an order came to its driver.
#[derive(Debug)]
pub(crate) enum Start {
    /// It was just placed here.
    Placed(Box<Placed>),
    /// Somebody has a message for it.
    Asked,
}

/// An order that was just placed here.
#[derive(Debug)]
pub(crate) struct Placed {
    pub order: Order,
    pub workflow: Arc<Workflow>,
    pub events: Vec<Event>,
}
