//! How the services refuse a request: which [`Problem`] each error is.

use axum::http::StatusCode;
use domain::order::request::Violation;
use http_problem::{Kind, Problem};

/// The SQLSTATE class for values that a type cannot hold: a NUL in a text, a number out of range.
const DATA_EXCEPTION: &str = "22";

/// The content is readable but wrong at this place, a JSON pointer.
pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Problem {
    let (pointer, detail) = (pointer.into(), detail.into());
    Problem::new(Kind::Invalid, detail.clone()).with_errors(vec![Violation { pointer, detail }])
}

/// When the database fails, the caller may retry; but not if the database refused the caller's
/// values.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes the error itself")]
pub(crate) fn of_database(failure: sqlx::Error) -> Problem {
    if let sqlx::Error::Database(error) = &failure
        && error.code().is_some_and(|code| code.starts_with(DATA_EXCEPTION))
    {
        return invalid("", format!("holds a value that cannot be stored: {}", error.message()));
    }
    tracing::error!(error = %failure, "a request to a participant failed");
    Problem::later("the service cannot reach its database")
}

/// Whether a status means "try again". 4xx is final, except for 408, 425 and 429.
pub(crate) fn is_passing(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS)
}
