//! The statuses that clients of `EventStoreDB` can read: a code, and trailers that name the
//! exception.

use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::{Code, Status};

use crate::change::Failure;
use crate::decision::Expected;
use crate::read_write_error::ReadWriteError;
use crate::reader::ReadFailure;

const REQUIRED_PROPERTIES: &str = "type,content-type";

fn named(code: Code, message: String, exception: &'static str, details: &[(&'static str, String)]) -> Status {
    let mut trailers = MetadataMap::new();
    trailers.insert("exception", AsciiMetadataValue::from_static(exception));
    for (key, value) in details {
        // A trailer is ASCII. A stream name with other characters is only in the message.
        if let Ok(value) = AsciiMetadataValue::try_from(value) {
            trailers.insert(*key, value);
        }
    }
    Status::with_metadata(code, message, trailers)
}

pub(super) fn invalid(message: impl Into<String>) -> Status {
    Status::invalid_argument(message)
}

pub(super) fn missing(field: &str) -> Status {
    invalid(format!("Required field {field} not set."))
}

pub(super) fn missing_property(property: &str) -> Status {
    named(
        Code::InvalidArgument,
        format!("Required Metadata Property '{property}' is missing"),
        "missing-required-metadata-property",
        &[("required-metadata-properties", REQUIRED_PROPERTIES.into())],
    )
}

pub(crate) fn too_large(max: usize) -> Status {
    named(
        Code::InvalidArgument,
        format!("Maximum Append Size of {max} Exceeded."),
        "maximum-append-size-exceeded",
        &[("maximum-append-size", max.to_string())],
    )
}

pub(super) fn stream_deleted(stream: &str) -> Status {
    named(
        Code::FailedPrecondition,
        format!("Event stream '{stream}' is deleted."),
        "stream-deleted",
        &[("stream-name", stream.into())],
    )
}

pub(super) fn scavenge_not_found(id: String) -> Status {
    named(Code::NotFound, "Scavenge id was invalid.".into(), "scavenge-not-found", &[("scavenge-id", id)])
}

pub(super) fn projection_not_found(name: &str) -> Status {
    Status::not_found(format!("Projection '{name}' not found"))
}

/// The client began something and did not continue it.
pub(crate) fn late(what: &str) -> Status {
    Status::aborted(format!("Operation timed out: the rest of the {what} did not arrive"))
}

pub(super) fn user_exists(login: &str) -> Status {
    let details = [("login-name", login.into())];
    named(Code::AlreadyExists, format!("User '{login}' already exists."), "user-conflict", &details)
}

pub(super) fn user_not_found(login: &str) -> Status {
    named(Code::NotFound, format!("User '{login}' is not found."), "user-not-found", &[("login-name", login.into())])
}

pub(crate) fn access_denied() -> Status {
    named(Code::PermissionDenied, "Access Denied".into(), "access-denied", &[])
}

pub(super) fn wrong_expected_version(stream: &str, expected: Expected, current: Option<u64>) -> Status {
    let expected = match expected {
        Expected::Revision(revision) => revision.to_string(),
        Expected::NoStream => "-1".into(),
        Expected::Any => "-2".into(),
        Expected::StreamExists => "-4".into(),
    };
    let actual = current.map_or_else(|| "-1".into(), |current| current.to_string());
    named(
        Code::FailedPrecondition,
        format!(
            "Delete failed due to WrongExpectedVersion. Stream: {stream}, Expected version: {expected}, \
             Actual version: {actual}"
        ),
        "wrong-expected-version",
        &[("stream-name", stream.into()), ("expected-version", expected), ("actual-version", actual)],
    )
}

pub(crate) fn failed(failure: Failure) -> Status {
    match failure {
        Failure::Overloaded => Status::resource_exhausted("Too many appends are waiting; try again later"),
        // The gRPC code for it: "perhaps the entire file system is out of space".
        Failure::NoRoom(reason) => Status::resource_exhausted(format!("The log cannot grow: {reason}")),
        Failure::Broken(reason) => Status::unavailable(format!("The log cannot be written: {reason}")),
        Failure::Closed => Status::unavailable("Server Is Shutting Down"),
    }
}

pub(crate) fn unreadable(failure: ReadFailure) -> Status {
    match failure {
        ReadFailure::Closing => Status::unavailable("Server Is Shutting Down"),
        ReadFailure::Reopening => Status::unavailable("The log is being reopened"),
        ReadFailure::FilterTooHard => invalid("The filter's expression takes too long."),
        // "Unrecoverable data loss or corruption": repeating the read cannot succeed.
        ReadFailure::Damaged(reason) => Status::data_loss(format!("The log cannot be read: {reason}")),
        ReadFailure::Broken(reason) => Status::internal(format!("The log cannot be read: {reason}")),
    }
}

pub(super) fn read_write_error(error: ReadWriteError) -> Status {
    match error {
        ReadWriteError::Unwritten(failure) => failed(failure),
        ReadWriteError::Unread(failure) => unreadable(failure),
    }
}

fn about_group(code: Code, message: String, exception: &'static str, stream: &str, group: &str) -> Status {
    named(code, message, exception, &[("stream-name", stream.into()), ("group-name", group.into())])
}

pub(super) fn group_exists(stream: &str, group: &str) -> Status {
    let message = format!("Subscription group {group} on stream {stream} exists.");
    about_group(Code::AlreadyExists, message, "persistent-subscription-exists", stream, group)
}

/// The reason why a group cannot be created or changed.
pub(super) fn group_failed(stream: &str, group: &str, reason: &str) -> Status {
    named(
        Code::Internal,
        format!("Subscription group {group} on stream {stream} failed: '{reason}'"),
        "persistent-subscription-failed",
        &[("stream-name", stream.into()), ("group-name", group.into()), ("reason", reason.into())],
    )
}

pub(super) fn group_does_not_exist(stream: &str, group: &str) -> Status {
    let message = format!("Subscription group {group} on stream {stream} does not exist.");
    about_group(Code::NotFound, message, "persistent-subscription-does-not-exist", stream, group)
}

pub(super) fn group_dropped(stream: &str, group: &str) -> Status {
    let message = format!("Subscription group {group} on stream {stream} was dropped.");
    about_group(Code::Cancelled, message, "persistent-subscription-dropped", stream, group)
}

pub(super) fn too_many_consumers(stream: &str, group: &str) -> Status {
    let message = format!("Maximum subscriptions reached for subscription group {group} on stream {stream}.");
    about_group(Code::FailedPrecondition, message, "maximum-subscribers-reached", stream, group)
}
