//! An order's life, step by step, from the log: what happened, the resulting state, what was
//! pending, and why. Each decision is made again, and compared with the recorded one.

mod json;
mod life;
mod render;
#[cfg(test)]
mod tests;
mod until;

use domain::ids::OrderId;
use domain::order::Event;
use servers::log::Log;

use self::life::Life;
pub use self::render::Page;
pub use self::until::Until;
use crate::history::{self, LogError};

/// What to replay, and in which form.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The order.
    pub order: &'a OrderId,
    /// The last event to show; without it, all are shown.
    pub until: Option<Until>,
    /// Whether to show each field of the state that an event changed.
    pub diff: bool,
    /// The form of the text.
    pub form: Form,
}

/// The form of a replay's text.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// For people.
    Text(Page),
    /// For programs.
    Json,
}

/// An order's life.
#[derive(Debug)]
pub struct Replayed {
    /// What happened, in the requested form.
    pub text: String,
    /// Whether each decision would be the same today.
    pub is_same: bool,
    /// The fault of the history. The text ends before it.
    pub broken: Option<LogError>,
}

/// Replays an order, and makes each of its decisions again. `None`: the log has no such order.
pub async fn replay(log: &Log, request: &Request<'_>) -> Result<Option<Replayed>, LogError> {
    let Request { order, until, diff, form } = *request;
    let history = history::of_order(log, order).await?;
    let Some(first) = history.first() else { return Ok(None) };
    let unreadable = |revision, reason| LogError::Event { stream: order.stream(), revision, reason };
    let Event::OrderPlaced(placed) = &first.event else {
        let reason = format!("an order begins with OrderPlaced, not with {}", first.event.type_name());
        return Err(unreadable(first.revision, reason));
    };
    let workflow = history::workflow(log, &placed.workflow).await?;
    let shown = until.map_or(history.as_slice(), |until| until.of(&history));
    let life = Life { order, workflow: workflow.as_ref(), history: &history, shown };
    let (text, tally) = match form {
        Form::Text(page) => render::told(&life, diff, page),
        Form::Json => json::told(&life, diff),
    };
    let broken = tally.broken.map(|broken| unreadable(broken.revision, broken.source.to_string()));
    Ok(Some(Replayed { text, is_same: tally.otherwise == 0, broken }))
}
