//! Why a command could not be carried out. That an order was refused is not among it: that is an answer.

use std::io;

use reqwest::StatusCode;

use super::history::LogError;
use super::workflow::FileError;
use crate::running::NotFound;

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("{text:?} is not the address of a server: {reason}; give one like http://127.0.0.1:7007")]
    ServerUrl { text: String, reason: String },
    #[error("the HTTP client could not be set up")]
    Setup(#[source] reqwest::Error),
    #[error(
        "cannot reach the server at {server}: {reason}. Is it running? `tenuto` starts one; --server or TENUTO_SERVER names another"
    )]
    Unreachable { server: String, reason: String },
    #[error("{url} asks for patience ({status}: {detail}) and went on doing so; try again later")]
    Unavailable { url: String, status: StatusCode, detail: String },
    #[error("{url} failed: {status}: {detail}")]
    Failed { url: String, status: StatusCode, detail: String },
    #[error("{url} refuses this: {what}")]
    Refused { url: String, what: String },
    #[error("{url} gave an answer that cannot be understood ({reason}); is this a Tenuto server, of this version?")]
    Answer { url: String, reason: String },
    #[error("{url} did not answer the query: {messages}")]
    Query { url: String, messages: String },
    #[error("the server broke off: {why}; the same command again goes on")]
    BrokenOff { why: String },
    #[error("--where: {0}")]
    Filter(String),
    #[error("{file} is how far another command came, which asked for {of}")]
    Bookmark { file: String, of: String },
    #[error("the file {file} (--resume) cannot be written: {source}; name one that can be written")]
    Unwritten { file: String, source: io::Error },
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("cannot read {input}")]
    Read { input: String, source: io::Error },
    #[error("cannot write the output")]
    Write(#[from] io::Error),
}

impl CommandError {
    /// Whether there is nobody left to write to: the other end of the pipe has seen enough.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
