//! The codes of GraphQL errors, in `extensions.code`: all that there are. The answers and the
//! reference of errors in the book both come from here.

use std::fmt::Display;

use async_graphql::{ErrorExtensionValues, ServerError};

/// What an error is, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// The answer is too large.
    AnswerLimit,
    /// An argument has a value that is not allowed.
    BadUserInput,
    /// The document is too large.
    DocumentLimit,
    /// The caller may not ask for this.
    Forbidden,
    /// The server failed.
    Internal,
    /// The views were made from another log.
    LogMismatch,
    /// The order does not have the revision.
    NoSuchRevision,
    /// The workflow does not have the step.
    NoSuchStep,
    /// The workflow does not have the version.
    NoSuchVersion,
    /// The workflow does not exist.
    NoSuchWorkflow,
    /// As much is under way as may be.
    Overloaded,
    /// The client did not take what it subscribed to.
    TooSlow,
    /// Views or log do not answer.
    Unavailable,
    /// An event cannot be read.
    Unreadable,
    /// The views are behind the wanted position.
    ViewsBehind,
}

impl ErrorCode {
    /// All codes, by their name.
    pub const ALL: [Self; 15] = [
        Self::AnswerLimit,
        Self::BadUserInput,
        Self::DocumentLimit,
        Self::Forbidden,
        Self::Internal,
        Self::LogMismatch,
        Self::NoSuchRevision,
        Self::NoSuchStep,
        Self::NoSuchVersion,
        Self::NoSuchWorkflow,
        Self::Overloaded,
        Self::TooSlow,
        Self::Unavailable,
        Self::Unreadable,
        Self::ViewsBehind,
    ];

    /// As in `extensions.code`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AnswerLimit => "ANSWER_LIMIT",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::DocumentLimit => "DOCUMENT_LIMIT",
            Self::Forbidden => "FORBIDDEN",
            Self::Internal => "INTERNAL",
            Self::LogMismatch => "LOG_MISMATCH",
            Self::NoSuchRevision => "NO_SUCH_REVISION",
            Self::NoSuchStep => "NO_SUCH_STEP",
            Self::NoSuchVersion => "NO_SUCH_VERSION",
            Self::NoSuchWorkflow => "NO_SUCH_WORKFLOW",
            Self::Overloaded => "OVERLOADED",
            Self::TooSlow => "TOO_SLOW",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unreadable => "UNREADABLE",
            Self::ViewsBehind => "VIEWS_BEHIND",
        }
    }

    /// When a field, or a whole request, has this error.
    pub fn when(self) -> &'static str {
        match self {
            Self::AnswerLimit => "The answer would be larger than an answer may be.",
            Self::BadUserInput => "An argument has a value that is not allowed; the message says which are.",
            Self::DocumentLimit => "The document is larger, deeper or costlier than allowed.",
            Self::Forbidden => "No role of the caller allows a root field of the operation.",
            Self::Internal => "The server failed. Its log has the reason.",
            Self::LogMismatch => "The views were made from another log than the one that is connected.",
            Self::NoSuchRevision => {
                "The order does not have the revision `atRevision` (yet); `lastRevision` is its last."
            }
            Self::NoSuchStep => "A filter names a step that its workflow does not have; `unknown` is the name.",
            Self::NoSuchVersion => {
                "A filter names a version that its workflow does not have; `unknown` is the version."
            }
            Self::NoSuchWorkflow => "A filter names a workflow that is not registered; `unknown` is the name.",
            Self::Overloaded => "As many queries run or wait as may, or the query took too long.",
            Self::TooSlow => "The client did not take the changes that it subscribed to as fast as they came.",
            Self::Unavailable => "The views, or the log, do not answer.",
            Self::Unreadable => "An event of the order cannot be read, or the key of its personal data is missing.",
            Self::ViewsBehind => {
                "The views did not come to `freshness.position` in time. `viewsPosition` and `lagSeconds` say where \
                 they are."
            }
        }
    }

    /// What a client does about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::AnswerLimit => "Ask for fewer fields or rows; read in pages.",
            Self::BadUserInput => "Correct the argument.",
            Self::DocumentLimit => "Ask for less, or in several requests.",
            Self::Forbidden => "Use a principal with the role.",
            Self::Internal => "Report it to the operator.",
            Self::LogMismatch => "The platform engineer connects the right log, or rebuilds the views.",
            Self::NoSuchRevision => "Use a revision up to `lastRevision`, or ask again later.",
            Self::NoSuchStep | Self::NoSuchVersion | Self::NoSuchWorkflow => {
                "Correct the name; the message has similar ones."
            }
            Self::Overloaded | Self::Unavailable => "Ask again later.",
            Self::TooSlow => "Subscribe again, and read the present state first.",
            Self::Unreadable => "An operator finds the event in the server's log.",
            Self::ViewsBehind => "Ask again, or without `freshness`.",
        }
    }

    /// An error of a field.
    pub(crate) fn error(self, error: &dyn Display) -> async_graphql::Error {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", self.as_str());
        async_graphql::Error { extensions: Some(extensions), ..async_graphql::Error::new(error.to_string()) }
    }

    /// An error of a request.
    pub(crate) fn of_request(self, error: &dyn Display) -> ServerError {
        let mut error = ServerError::new(error.to_string(), None);
        error.extensions.get_or_insert_default().set("code", self.as_str());
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_there_once_in_the_order_of_its_name() {
        let names = ErrorCode::ALL.map(ErrorCode::as_str);
        assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
    }
}
