//! How much of a listener one caller may use: requests a second, and requests at the same time. A
//! caller is a principal, or, if callers are not authenticated, an address.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use access::Caller;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use clap::Args;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http_problem::{Kind, Problem};

/// Callers whose state is kept; beyond that, those that have been quiet are forgotten.
const REMEMBERED: usize = 10_000;
/// When a caller with too many requests under way may try again.
const LATER: Duration = Duration::from_secs(1);

/// How much of a listener one caller may use.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct ShareArgs {
    /// The most requests a second of one caller: a principal, or an address while callers are not
    /// authenticated; past it, 429. 0: no limit
    #[arg(long, env = "TENUTO_MAX_REQUEST_RATE", default_value_t = 0, value_name = "N")]
    max_request_rate: u32,
    /// The most requests of one caller at the same time, with subscriptions; past it, 429
    /// [default: three quarters of the connections]
    #[arg(long, env = "TENUTO_MAX_CONCURRENT_REQUESTS", value_name = "N")]
    max_concurrent_requests: Option<usize>,
}

/// One caller.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    Principal(String),
    Address(IpAddr),
}

type Rates = RateLimiter<Whose, HashMapStateStore<Whose>, MonotonicClock, NoOpMiddleware<std::time::Instant>>;

/// The shares of a listener. Clones are the same shares.
#[derive(Clone)]
pub(crate) struct Shares {
    rates: Option<Arc<Rates>>,
    running: Arc<Mutex<HashMap<Whose, usize>>>,
    /// `None`: no limit.
    most: Option<usize>,
}

/// A caller uses more than its share: when it may try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch(pub Duration);

impl Whose {
    /// The principal, or the address of a client without one.
    pub fn of(caller: &Caller, peer: Option<SocketAddr>) -> Option<Self> {
        match caller.name() {
            Some(name) => Some(Self::Principal(name.to_owned())),
            None => peer.map(|peer| Self::Address(peer.ip())),
        }
    }
}

impl IntoResponse for TooMuch {
    fn into_response(self) -> Response {
        let seconds = self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0);
        let detail = format!("this caller sends more requests than it may; try again in {seconds} s");
        let problem = Problem::new(Kind::TooMany, detail);
        ([(header::RETRY_AFTER, seconds.to_string())], problem).into_response()
    }
}

/// A request under way.
pub(crate) struct Taken {
    whose: Whose,
    running: Arc<Mutex<HashMap<Whose, usize>>>,
}

impl Shares {
    /// For a listener with this many connections; without arguments, a caller may use all of it.
    pub fn of(args: Option<ShareArgs>, connections: usize) -> Self {
        let Some(args) = args else { return Self { rates: None, running: Arc::default(), most: None } };
        let rate = NonZeroU32::new(args.max_request_rate).map(Quota::per_second);
        let rates = rate.map(|quota| Arc::new(RateLimiter::new(quota, HashMapStateStore::default(), MonotonicClock)));
        let most = args.max_concurrent_requests.unwrap_or(connections * 3 / 4).max(1);
        Self { rates, running: Arc::default(), most: Some(most) }
    }

    /// A place for a request of this caller.
    pub fn take(&self, whose: Option<Whose>) -> Result<Option<Taken>, TooMuch> {
        let (Some(whose), Some(most)) = (whose, self.most) else { return Ok(None) };
        if let Some(rates) = &self.rates {
            if rates.len() > REMEMBERED {
                rates.retain_recent();
            }
            rates.check_key(&whose).map_err(|early| TooMuch(early.wait_time_from(MonotonicClock.now())))?;
        }
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let count = running.entry(whose.clone()).or_default();
        if *count >= most {
            return Err(TooMuch(LATER));
        }
        *count += 1;
        drop(running);
        Ok(Some(Taken { whose, running: self.running.clone() }))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = running.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "as a share is taken")]
    fn principal(name: &str) -> Option<Whose> {
        Some(Whose::Principal(name.to_owned()))
    }

    #[test]
    fn a_caller_has_so_many_requests_at_the_same_time_and_others_have_their_own() {
        let args = ShareArgs { max_concurrent_requests: Some(2), ..ShareArgs::default() };
        let shares = Shares::of(Some(args), 100);
        let first = shares.take(principal("a")).unwrap();
        let _second = shares.take(principal("a")).unwrap();
        assert_eq!(shares.take(principal("a")).err(), Some(TooMuch(LATER)));
        let _other = shares.take(principal("b")).unwrap();
        let _address = shares.take(Some(Whose::Address([127, 0, 0, 1].into()))).unwrap();
        drop(first);
        assert!(shares.take(principal("a")).is_ok());
    }

    #[test]
    fn past_its_rate_a_caller_is_told_when_to_try_again() {
        let args = ShareArgs { max_request_rate: 10, ..ShareArgs::default() };
        let shares = Shares::of(Some(args), 100);
        let refused = (0..20).find_map(|_| shares.take(principal("a")).err()).unwrap();
        assert!(refused.0 <= Duration::from_millis(100), "{refused:?}");
        assert!(shares.take(principal("b")).is_ok());
    }

    #[test]
    fn nothing_is_kept_of_a_request_that_has_ended() {
        let shares = Shares::of(Some(ShareArgs::default()), 100);
        for number in 0..100 {
            drop(shares.take(principal(&number.to_string())).unwrap());
        }
        assert!(shares.running.lock().unwrap().is_empty());
    }
}
