//! Why a call failed: a fault of the connection, or an error of the server.

use std::error::Error;
use std::time::Duration;

use tonic::{Code, Status};

use super::error::{AppendError, ReadError};
use super::settings::{Credentials, Endpoint};
use super::types::Expected;

/// The headers and trailers in which the server gives more detail than a code.
const EXCEPTION: &str = "exception";
/// The alerts of TLS with which a server refuses a client's certificate, or demands one.
const ALERTS: [&str; 6] =
    ["CertificateRequired", "BadCertificate", "UnknownCA", "CertificateUnknown", "AccessDenied", "HandshakeFailure"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection broke, or could not be made.
    Connection(Broken),
    /// This node does not lead. It may name the leader.
    NotLeader(Option<Endpoint>),
    /// No answer came in time.
    NoAnswer(Duration),
    /// The stream is at another revision; `None`: it has no events.
    WrongExpectedRevision(Option<u64>),
    StreamDeleted,
    TooLarge(String),
    /// The server does not know the user, or the user does not have the right.
    Denied(String),
    /// Any other answer of the server.
    Answer(Code, String),
    /// The server's answer does not follow the protocol.
    Malformed(&'static str),
}

/// What is wrong with a connection, in one line with the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) reason: String,
    /// Retrying cannot help: the settings have to be changed, on the client or on the server.
    pub(super) for_good: bool,
}

impl Fault {
    pub(super) fn broken(reason: impl Into<String>) -> Self {
        Self::Connection(Broken { reason: reason.into(), for_good: false })
    }

    pub(super) fn misconfigured(reason: impl Into<String>) -> Self {
        Self::Connection(Broken { reason: reason.into(), for_good: true })
    }

    pub(super) fn from_status(status: &Status, user: Option<&Credentials>) -> Self {
        let header = |name: &str| status.metadata().get(name).and_then(|value| value.to_str().ok());
        // Created by the client: the connection broke before the server answered.
        let is_overload = status.code() == Code::ResourceExhausted;
        if status.source().is_some() && header(EXCEPTION).is_none() && !is_overload {
            let broke = || Self::broken(format!("the connection broke: {}", root_cause(status)));
            return Self::of_the_protocol(status).unwrap_or_else(broke);
        }
        match (status.code(), header(EXCEPTION)) {
            (_, Some("not-leader")) => {
                let port = header("leader-endpoint-port").and_then(|port| port.parse().ok());
                let host = header("leader-endpoint-host").filter(|host| !host.is_empty());
                Self::NotLeader(host.zip(port).map(|(host, port)| Endpoint { host: host.into(), port }))
            }
            (_, Some("stream-deleted")) => Self::StreamDeleted,
            (_, Some("maximum-append-size-exceeded")) => Self::TooLarge(status.message().to_owned()),
            (Code::Unauthenticated, _) => Self::Denied(unknown_user(user)),
            (Code::PermissionDenied, _) => Self::Denied(not_allowed(user)),
            (code, _) => Self::Answer(code, status.message().to_owned()),
        }
    }

    /// A mistake in the settings that shows only after the connection has begun. The libraries hide
    /// the type of these errors, so only their text is left.
    pub(super) fn of_the_protocol(error: &(dyn Error + 'static)) -> Option<Self> {
        let reason = root_cause(error);
        // In TLS 1.3, a server refuses a client after the handshake has ended for the client.
        if let Some((_, alert)) = reason.split_once("received fatal alert: ")
            && ALERTS.iter().any(|known| alert.starts_with(known))
        {
            return Some(Self::misconfigured(format!(
                "the server refuses the TLS handshake ({alert}); where it demands a certificate, name one with \
                 userCertFile and userKeyFile"
            )));
        }
        reason.contains("frame with invalid size").then(|| {
            Self::misconfigured(
                "the server does not answer in HTTP/2; if it speaks TLS, remove tls=false from the connection string",
            )
        })
    }

    /// Whether the cause is the connection or the server's state, and not the call.
    pub(super) fn is_unavailable(&self) -> bool {
        match self {
            Self::Connection(_) | Self::NotLeader(_) | Self::NoAnswer(_) => true,
            Self::Answer(code, _) => matches!(
                code,
                Code::Unavailable
                    | Code::Internal
                    | Code::Unknown
                    | Code::Cancelled
                    | Code::Aborted
                    | Code::DeadlineExceeded
                    | Code::ResourceExhausted
            ),
            _ => false,
        }
    }

    /// Whether the same call may succeed a little later. A server that reports overload is not
    /// called again: repeating would add to the load, and the caller is the one who can slow down.
    pub(super) fn is_worth_another_try(&self) -> bool {
        match self {
            Self::Connection(broken) => !broken.for_good,
            Self::Answer(Code::ResourceExhausted, _) => false,
            fault => fault.is_unavailable(),
        }
    }

    /// Whether the connection cannot be used any more.
    pub(super) fn ends_connection(&self) -> bool {
        match self {
            Self::Connection(_) | Self::NotLeader(_) | Self::NoAnswer(_) => true,
            Self::Answer(code, _) => {
                matches!(code, Code::Unavailable | Code::Internal | Code::Unknown | Code::DeadlineExceeded)
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connection(broken) => f.write_str(&broken.reason),
            Self::NotLeader(Some(leader)) => write!(f, "this node does not lead the cluster; {leader} does"),
            Self::NotLeader(None) => f.write_str("no node leads the cluster at present; it elects one by itself"),
            Self::NoAnswer(limit) => write!(f, "no answer came within {} s", limit.as_secs_f32()),
            Self::WrongExpectedRevision(_) => f.write_str("the stream is at another revision"),
            Self::StreamDeleted => f.write_str("the stream was deleted"),
            Self::Answer(code, message) if message.is_empty() => write!(f, "{code:?}: {}", code.description()),
            Self::Answer(_, message) | Self::TooLarge(message) | Self::Denied(message) => f.write_str(message),
            Self::Malformed(what) => write!(f, "the server's answer does not follow the protocol: {what}"),
        }
    }
}

impl Error for Fault {}

/// Why an append with this fault was not acknowledged.
pub(super) fn append_error(stream: &str, expected: Expected, fault: Fault) -> AppendError {
    match fault {
        Fault::WrongExpectedRevision(actual) => {
            AppendError::WrongExpectedRevision { stream: stream.into(), expected, actual }
        }
        Fault::StreamDeleted => AppendError::StreamDeleted(stream.into()),
        Fault::TooLarge(message) => AppendError::TooLarge(message),
        fault if fault.is_unavailable() => AppendError::Unavailable(fault.to_string()),
        fault => AppendError::Refused(fault.to_string()),
    }
}

/// Why a read with this fault returned no events.
pub(super) fn read_error(stream: &str, fault: Fault) -> ReadError {
    match fault {
        Fault::StreamDeleted => ReadError::StreamDeleted(stream.into()),
        fault if fault.is_unavailable() => ReadError::Unavailable(fault.to_string()),
        fault => ReadError::Refused(fault.to_string()),
    }
}

fn unknown_user(user: Option<&Credentials>) -> String {
    match user {
        Some(Credentials { user, .. }) => format!(
            "the server does not accept the user {user} with this password; correct USER:PASSWORD in the connection string"
        ),
        None => "the server requires a user; put USER:PASSWORD@ before the host in the connection string".into(),
    }
}

fn not_allowed(user: Option<&Credentials>) -> String {
    match user {
        Some(Credentials { user, .. }) => format!(
            "the user {user} does not have the right to this; reading $all, too, is a right that an administrator grants \
             (docs/platform/rights.md)"
        ),
        None => {
            "this requires a user with the right to it; put USER:PASSWORD@ before the host in the connection string"
                .into()
        }
    }
}

/// The innermost reason: the outer errors only state that something failed.
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
