//! Why a command could not be carried out. That an order was refused is not among it: that is an answer.

use std::io;

use reqwest::StatusCode;

use command_line::output::{Failure, WriteError};
use command_line::running::NotFound;

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The address is none of a server.
    #[error("{text:?} is not the address of a server: {reason}; give one like http://127.0.0.1:7007")]
    ServerUrl {
        /// What was given.
        text: String,
        /// Why.
        reason: String,
    },
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Setup(#[source] reqwest::Error),
    /// The server cannot be reached.
    #[error(
        "cannot reach the server at {server}: {reason}. Is it running? `tenuto` starts one; --server or TENUTO_SERVER names another"
    )]
    Unreachable {
        /// Its address.
        server: String,
        /// Why.
        reason: String,
    },
    /// The server went on asking for patience.
    #[error("{url} asks for patience ({status}: {detail}) and went on doing so; try again later")]
    Unavailable {
        /// The address of the request.
        url: String,
        /// The HTTP status.
        status: StatusCode,
        /// What the server says of it.
        detail: String,
    },
    /// The request failed.
    #[error("{url} failed: {status}: {detail}")]
    Failed {
        /// The address of the request.
        url: String,
        /// The HTTP status.
        status: StatusCode,
        /// What the server says of it.
        detail: String,
    },
    /// The request was refused.
    #[error("{url} refuses this: {what}")]
    Refused {
        /// The address of the request.
        url: String,
        /// What the server objects to.
        what: String,
    },
    /// The answer cannot be understood.
    #[error("{url} gave an answer that cannot be understood ({reason}); is this a Tenuto server, of this version?")]
    Answer {
        /// The address of the request.
        url: String,
        /// Why.
        reason: String,
    },
    /// The query was not answered.
    #[error("{url} did not answer the query: {messages}")]
    Query {
        /// The address of the request.
        url: String,
        /// What the server says of it.
        messages: String,
    },
    /// A batch was broken off by the server.
    #[error("the server broke off: {why}; the same command again goes on")]
    BrokenOff {
        /// Why.
        why: String,
    },
    /// The filter contradicts itself.
    #[error("--where: {0}")]
    Filter(String),
    /// The file of `--resume` belongs to another command.
    #[error("{file} is how far another command came, which asked for {of}")]
    Checkpoint {
        /// The file.
        file: String,
        /// What that command asked for.
        of: String,
    },
    /// The file of `--resume` cannot be written.
    #[error("the file {file} (--resume) cannot be written: {source}; name one that can be written")]
    Unwritten {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// No server was named, and what ran in this folder does not run.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The input cannot be read.
    #[error("cannot read {input}")]
    Read {
        /// What was to be read.
        input: String,
        /// Why.
        source: io::Error,
    },
    /// The output cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Failure for CommandError {
    fn of_writing(&self) -> Option<&WriteError> {
        match self {
            Self::Write(error) => Some(error),
            _ => None,
        }
    }
}
