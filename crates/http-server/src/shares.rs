//! How much of a listener one caller may use: requests a second, and requests at the same time. A
//! caller is a principal, or, if callers are not authenticated, an address.

use std::collections::HashMap;
use std::fmt;
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
use live::{Change, Live};

/// Callers whose state is kept; beyond that, those that have been quiet are forgotten.
const REMEMBERED: usize = 10_000;
/// When a caller with too many requests under way may try again.
const LATER: Duration = Duration::from_secs(1);

/// How much of a listener one caller may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
pub struct ShareArgs {
    /// The most requests a second of one caller: a principal, or an address while callers are not
    /// authenticated; past it, 429. 0: no limit
    #[arg(
        long,
        env = "TENUTO_MAX_REQUEST_RATE",
        default_value_t = 0,
        value_name = "N",
        help_heading = live::RELOADED
    )]
    max_request_rate: u32,
    /// The most requests of one caller at the same time, with subscriptions; past it, 429
    /// [default: three quarters of the connections]
    #[arg(long, env = "TENUTO_MAX_CONCURRENT_REQUESTS", value_name = "N", help_heading = live::RELOADED)]
    max_concurrent_requests: Option<usize>,
}

/// One caller.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    Principal(String),
    Address(IpAddr),
}

type Rates = RateLimiter<Whose, HashMapStateStore<Whose>, MonotonicClock, NoOpMiddleware<std::time::Instant>>;

/// The limits of shares.
pub(crate) struct ShareLimits {
    args: ShareArgs,
    rates: Option<Rates>,
}

/// The shares of a listener. Clones are the same shares.
#[derive(Clone)]
pub(crate) struct Shares {
    /// `None`: no limits.
    limits: Live<Option<ShareLimits>>,
    running: Arc<Mutex<HashMap<Whose, usize>>>,
    /// How many connections the listener takes.
    connections: usize,
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

impl fmt::Debug for ShareLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.args.fmt(f)
    }
}

impl From<ShareArgs> for ShareLimits {
    fn from(args: ShareArgs) -> Self {
        let rate = NonZeroU32::new(args.max_request_rate).map(Quota::per_second);
        let rates = rate.map(|quota| RateLimiter::new(quota, HashMapStateStore::default(), MonotonicClock));
        Self { args, rates }
    }
}

/// What replaces the limits, if they change: else each caller could use its rate once more.
pub(crate) fn prepare(limits: &Live<Option<ShareLimits>>, args: ShareArgs) -> Change {
    let is_same = limits.get().as_ref().as_ref().is_some_and(|limits| limits.args == args);
    if is_same { Change::default() } else { Change::default().set(limits, Some(args.into())) }
}

impl Shares {
    /// For a listener with this many connections; without limits, a caller may use all of it.
    pub fn of(limits: Live<Option<ShareLimits>>, connections: usize) -> Self {
        Self { limits, running: Arc::default(), connections }
    }

    /// A place for a request of this caller.
    pub fn take(&self, whose: Option<Whose>) -> Result<Option<Taken>, TooMuch> {
        let limits = self.limits.get();
        let (Some(whose), Some(limits)) = (whose, &*limits) else { return Ok(None) };
        let most = limits.args.max_concurrent_requests.unwrap_or(self.connections * 3 / 4).max(1);
        if let Some(rates) = &limits.rates {
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

    fn shares(args: ShareArgs) -> Shares {
        Shares::of(Live::new(Some(args.into())), 100)
    }

    #[test]
    fn limits_that_change_count_from_the_next_request_on_and_same_ones_grant_no_further_burst() {
        let args = ShareArgs { max_concurrent_requests: Some(1), ..ShareArgs::default() };
        let shares = shares(args);
        let first = shares.take(principal("a")).unwrap();
        assert!(shares.take(principal("a")).is_err());
        let wider = ShareArgs { max_concurrent_requests: Some(2), ..args };
        assert_eq!(prepare(&shares.limits, wider).apply(), [""; 0]);
        let second = shares.take(principal("a")).unwrap();
        prepare(&shares.limits, args).apply();
        drop(first);
        assert!(shares.take(principal("a")).is_err(), "requests under way still count");
        drop(second);
        let slow = ShareArgs { max_request_rate: 1, ..ShareArgs::default() };
        for _ in 0..3 {
            prepare(&shares.limits, slow).apply();
        }
        assert!(shares.take(principal("a")).is_ok());
        prepare(&shares.limits, slow).apply();
        assert!(shares.take(principal("a")).is_err());
    }

    #[test]
    fn a_caller_has_so_many_requests_at_the_same_time_and_others_have_their_own() {
        let args = ShareArgs { max_concurrent_requests: Some(2), ..ShareArgs::default() };
        let shares = shares(args);
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
        let shares = shares(args);
        let refused = (0..20).find_map(|_| shares.take(principal("a")).err()).unwrap();
        assert!(refused.0 <= Duration::from_millis(100), "{refused:?}");
        assert!(shares.take(principal("b")).is_ok());
    }

    #[test]
    fn nothing_is_kept_of_a_request_that_has_ended() {
        let shares = shares(ShareArgs::default());
        for number in 0..100 {
            drop(shares.take(principal(&number.to_string())).unwrap());
        }
        assert!(shares.running.lock().unwrap().is_empty());
    }
}
