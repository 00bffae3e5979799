//! Why a command failed. A refused order is not a failure of the command: it is an answer.

use std::io;

use reqwest::StatusCode;

use command_line::output::{Failure, WriteError};
use command_line::running::NotFound;
use secrets::without_secrets;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The address is not the address of a server.
    #[error(
        "{:?} is not the address of a server: {reason}; give one like http://127.0.0.1:7007",
        without_secrets(text)
    )]
    ServerUrl {
        /// The address.
        text: String,
        /// Why.
        reason: String,
    },
    /// The credentials cannot be used.
    #[error("the credentials in {from} cannot be used: {reason}")]
    Token {
        /// Where they come from.
        from: String,
        /// Why.
        reason: String,
    },
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Setup(#[source] reqwest::Error),
    /// The server cannot be reached.
    #[error(
        "cannot reach the server at {}: {reason}. Is it running? `tenuto` starts one; --server or TENUTO_SERVER names another",
        without_secrets(server)
    )]
    Unreachable {
        /// Its address.
        server: String,
        /// Why.
        reason: String,
    },
    /// The server was unavailable until patience ended.
    #[error("{} asks for patience ({status}: {detail}) and went on doing so; try again later", without_secrets(url))]
    Unavailable {
        /// The address of the request.
        url: String,
        /// The HTTP status.
        status: StatusCode,
        /// The server's reason.
        detail: String,
    },
    /// The request failed.
    #[error("{} failed: {status}: {detail}", without_secrets(url))]
    Failed {
        /// The address of the request.
        url: String,
        /// The HTTP status.
        status: StatusCode,
        /// The server's reason.
        detail: String,
    },
    /// The request was refused.
    #[error("{} refuses this: {what}", without_secrets(url))]
    Refused {
        /// The address of the request.
        url: String,
        /// The server's reason.
        what: String,
    },
    /// The answer cannot be understood.
    #[error(
        "{} gave an answer that cannot be understood ({reason}); is this a Tenuto server, of this version?",
        without_secrets(url)
    )]
    Answer {
        /// The address of the request.
        url: String,
        /// Why.
        reason: String,
    },
    /// The query was not answered.
    #[error("{} did not answer the query: {messages}", without_secrets(url))]
    Query {
        /// The address of the request.
        url: String,
        /// The server's reason.
        messages: String,
    },
    /// The server interrupted a batch.
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
        /// The action of that command.
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
    /// No server is named, and the process of this folder does not run.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The input cannot be read.
    #[error("cannot read {input}")]
    Read {
        /// The name of the input.
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
