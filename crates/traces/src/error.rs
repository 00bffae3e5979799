//! Why a trace cannot be shown or sent.

use command_line::output::{Failure, WriteError};
use event_store::ReadError;
use order_stream::OrderFault;
use servers::log::OpenError;

use crate::collector::NotTaken;
use crate::options::CollectorFault;

/// Why a trace cannot be shown or sent.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The log cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The history has a fault.
    #[error(transparent)]
    History(#[from] OrderFault),
    /// The settings of the collector cannot be used.
    #[error(transparent)]
    Collector(#[from] CollectorFault),
    /// No collector is named.
    #[error("--send needs a collector: name it with --otlp-endpoint, or in TENUTO_OTLP_ENDPOINT")]
    NoCollector,
    /// The collector did not take the spans.
    #[error("the spans were not sent: {0}")]
    NotSent(String),
    /// The result cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<NotTaken> for TraceError {
    fn from(error: NotTaken) -> Self {
        Self::NotSent(error.to_string())
    }
}

impl Failure for TraceError {
    fn of_writing(&self) -> Option<&WriteError> {
        match self {
            Self::Write(error) => Some(error),
            _ => None,
        }
    }
}
