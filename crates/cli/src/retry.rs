//! Which requests are sent again, and after how long.

use std::time::{Duration, SystemTime};

use back_off::Limits;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The pauses between two attempts.
const PAUSES: Limits = Limits::new(Duration::from_millis(100), Duration::from_secs(5));
/// The longest wait that a server can request.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// How long a request is repeated before the command gives up.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// While the server has never answered: it may be starting, or may not exist.
    pub first_contact: Duration,
    /// After the server has answered once: it may be restarting, or overloaded.
    pub later: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first_contact: Duration::from_secs(5), later: Duration::from_mins(1) }
    }
}

/// Whether the same request may succeed later. After a 500 it would not: the fault does not depend
/// on time.
pub fn is_transient(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// How long the server asks its clients to wait, up to a limit.
pub fn asked_delay(headers: &HeaderMap) -> Option<Duration> {
    let wait = http_client::retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, SystemTime::now())?;
    Some(wait.min(MAX_RETRY_AFTER))
}

/// The delay before the next attempt, after this many failures: exponential, and spread over its
/// upper half by `jitter` (from 0 to 1), so that many clients do not return at once. Never shorter
/// than the wait that the server requests.
pub fn delay(failures: u32, asked: Option<Duration>, jitter: f64) -> Duration {
    let own = back_off::spread(PAUSES.pause(failures), jitter);
    asked.map_or(own, |asked| own.max(asked + PAUSES.first.mul_f64(jitter.clamp(0.0, 1.0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_faults_that_pass_with_time_are_tried_again() {
        for status in [408, 425, 429, 502, 503, 504] {
            assert!(is_transient(StatusCode::from_u16(status).unwrap()), "{status}");
        }
        for status in [200, 202, 400, 404, 409, 413, 415, 422, 500, 501] {
            assert!(!is_transient(StatusCode::from_u16(status).unwrap()), "{status}");
        }
    }

    #[test]
    fn delays_double_up_to_a_bound_and_are_spread() {
        let millis = |failures, jitter| delay(failures, None, jitter).as_millis();
        assert_eq!((millis(1, 1.0), millis(2, 1.0), millis(3, 1.0)), (100, 200, 400));
        assert_eq!((millis(1, 0.0), millis(u32::MAX, 0.0), millis(u32::MAX, 1.0)), (50, 2_500, 5_000));
    }

    #[test]
    fn the_wait_that_the_server_requests_is_kept_up_to_a_limit() {
        let read = |text: &str| asked_delay(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!(read("2"), Some(Duration::from_secs(2)));
        assert_eq!(read("86400"), Some(MAX_RETRY_AFTER));
        assert_eq!(read("Fri, 31 Dec 1999 23:59:59 GMT"), None);
        assert_eq!(read("Tue, 31 Dec 2999 23:59:59 GMT"), Some(MAX_RETRY_AFTER));
        assert_eq!(asked_delay(&HeaderMap::new()), None);
        assert!(delay(1, Some(Duration::from_secs(2)), 0.0) >= Duration::from_secs(2));
    }
}
