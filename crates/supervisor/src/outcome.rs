//! The end of a task, and the reason for it.

use std::any::Any;
use std::error::Error;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use error_causes::with_causes;
use futures::FutureExt;

/// The result of a task: nothing, or a `Result`.
pub trait Outcome: Send {
    /// The error, with its causes.
    fn error(self) -> Option<String>;
}

impl Outcome for () {
    fn error(self) -> Option<String> {
        None
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>> + Send> Outcome for Result<(), E> {
    fn error(self) -> Option<String> {
        let error: Box<dyn Error + Send + Sync> = self.err()?.into();
        Some(with_causes(error.as_ref()))
    }
}

/// Runs a task to its end. Returns its error, or the message of its panic.
pub(crate) async fn caught(future: impl Future<Output: Outcome>) -> Option<String> {
    match AssertUnwindSafe(future).catch_unwind().await {
        Ok(outcome) => outcome.error(),
        Err(panic) => Some(format!("it panicked: {}", message(panic.as_ref()))),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

/// Why a task ended: its error, or that it returned without one.
pub(crate) fn reason(error: Option<String>) -> String {
    error.unwrap_or_else(|| "it returned, and was not told to stop".to_owned())
}
