//! Who asks: the caller of a request, and how long a stream of answers may go on.

use std::time::Duration;

use access::{AccessCounts, Caller, Session};
use axum::http::Extensions;
use tokio::time::sleep;

/// How often the credentials behind a stream are checked again: a revoked key is refused within ten
/// seconds.
const RECHECK: Duration = Duration::from_secs(4);

/// The caller of a request, with its session.
#[derive(Debug, Clone)]
pub struct Asker {
    pub caller: Caller,
    pub counts: AccessCounts,
    session: Option<Session>,
}

impl Asker {
    /// Who sent the request with these extensions.
    pub fn of(extensions: &Extensions) -> Self {
        let (caller, counts) = (Caller::of(extensions), AccessCounts::of(extensions));
        Self { caller, counts, session: Session::of(extensions) }
    }

    /// Waits until the credentials of the request are not accepted any more.
    pub async fn leaves(self) {
        let Some(session) = self.session else { return std::future::pending().await };
        loop {
            sleep(RECHECK).await;
            if session.is_over().await {
                return;
            }
        }
    }
}
