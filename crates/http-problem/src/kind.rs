//! The kinds of problems: all that a server of the project refuses with. The answers and the
//! reference of errors in the book both come from here.

use axum::http::StatusCode;

/// A kind of problem. Its status is the one that clients branch on: the `type` is `about:blank`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 400.
    Malformed,
    /// 401.
    NotAuthenticated,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 408.
    TooSlow,
    /// 409.
    Conflict,
    /// 410.
    Gone,
    /// 413.
    TooLarge,
    /// 415.
    WrongMediaType,
    /// 421.
    OtherServer,
    /// 422.
    Invalid,
    /// 424.
    KeyMissing,
    /// 429.
    TooMany,
    /// 500.
    Internal,
    /// 503.
    Unavailable,
}

impl Kind {
    /// All kinds, by their status.
    pub const ALL: [Self; 16] = [
        Self::Malformed,
        Self::NotAuthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TooSlow,
        Self::Conflict,
        Self::Gone,
        Self::TooLarge,
        Self::WrongMediaType,
        Self::OtherServer,
        Self::Invalid,
        Self::KeyMissing,
        Self::TooMany,
        Self::Internal,
        Self::Unavailable,
    ];

    /// The HTTP status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::NotAuthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Gone => StatusCode::GONE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::WrongMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::OtherServer => StatusCode::MISDIRECTED_REQUEST,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::KeyMissing => StatusCode::FAILED_DEPENDENCY,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// When a server answers with it.
    pub fn when(self) -> &'static str {
        match self {
            Self::Malformed => {
                "The request cannot be read: the body is not JSON or not UTF-8, or a header or a parameter of the URL \
                 has a form that is not allowed."
            }
            Self::NotAuthenticated => "The credentials are missing, unknown, expired or revoked.",
            Self::Forbidden => {
                "The caller may not do this: none of its roles allows it, a second person has to, or a web page of \
                 another origin sent the request."
            }
            Self::NotFound => {
                "The path, the order, the step, the request or the webhook does not exist, or is not the caller's to see."
            }
            Self::MethodNotAllowed => "The path exists, and does not have this method.",
            Self::TooSlow => "The body did not arrive in time. The connection is closed.",
            Self::Conflict => {
                "The present state does not allow the request; or the same id, or the same name and version, has \
                 another content; or the same request is under way."
            }
            Self::Gone => "The personal data were erased, or the order's stream was cut.",
            Self::TooLarge => "The body, or what would have to be recorded, is larger than allowed.",
            Self::WrongMediaType => "`Content-Type` or `Content-Encoding` names something that the path does not take.",
            Self::OtherServer => "`Host` names a server that this one does not answer for.",
            Self::Invalid => "The request is well-formed, and its content is not allowed.",
            Self::KeyMissing => "The key of the order's personal data is missing. The order is held.",
            Self::TooMany => "The caller sends more requests than its share.",
            Self::Internal => "The server failed. Its log has the reason.",
            Self::Unavailable => {
                "The log, the views or an issuer of tokens does not answer, or the server has as much to do as it may."
            }
        }
    }

    /// What a client does about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Malformed => "Correct the request; `detail` names the place.",
            Self::NotAuthenticated => {
                "Send a key or a token as `Authorization: Bearer …`. `WWW-Authenticate` says what was wrong with it."
            }
            Self::Forbidden => "Use a principal with the role, or have a person with it do this.",
            Self::NotFound => "Correct the path. A new order is in the views soon: ask with `position` and `wait`.",
            Self::MethodNotAllowed => "Use a method of the header `Allow`.",
            Self::TooSlow => "Send the whole request again.",
            Self::Conflict => {
                "Read the order: `state` is its state. Do what that allows, or use another id or version. Do not \
                 repeat the request unchanged, unless `detail` says that it is under way."
            }
            Self::Gone => "Do not ask again. An operator finds the reason in the order's timeline.",
            Self::TooLarge => "Send less: several requests, or less data in one.",
            Self::WrongMediaType => "Send what `detail` lists.",
            Self::OtherServer => "Correct the address, or name the host with `--allowed-hosts`.",
            Self::Invalid => "Correct each place of `errors`: `pointer` says where, and `detail` what is allowed.",
            Self::KeyMissing => "Ask the platform engineer to restore the key. Then the same request succeeds.",
            Self::TooMany => "Wait as long as `Retry-After` says.",
            Self::Internal => "Report it to the operator. The same request may fail again.",
            Self::Unavailable => {
                "Send the same request again after `Retry-After` seconds. Nothing was done, or what was done is \
                 done once."
            }
        }
    }
}
