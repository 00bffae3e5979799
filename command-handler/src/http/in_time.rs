//! How long a caller waits for a command.

use std::pin::Pin;
use std::time::Duration;

use http_problem::Problem;
use tokio::time::{Timeout, timeout};

/// A command is answered within five seconds, also while the log or Postgres is down.
pub(super) const PATIENCE: Duration = Duration::from_millis(4_500);

/// The result of a command, or "later". At the time limit the work is dropped, as it is when the
/// caller disconnects: events that are in the log by then remain, and the same request again finds
/// them.
pub(super) fn in_time<T>(
    work: impl Future<Output = Result<T, Problem>> + Send,
) -> impl Future<Output = Result<T, Problem>> + Send {
    let work = limited(work);
    async {
        work.await.unwrap_or_else(|_| {
            Err(Problem::later(format!(
                "the log has not answered for {PATIENCE:?}, and may still record it; send the same request again"
            )))
        })
    }
}

/// The answer of Postgres, or "later".
pub(super) fn postgres_in_time<T>(
    work: impl Future<Output = T> + Send,
) -> impl Future<Output = Result<T, Problem>> + Send {
    let work = limited(work);
    async {
        work.await.map_err(|_| {
            Problem::later(format!(
                "Postgres has not answered for {PATIENCE:?}, and nothing was done; send the same request again"
            ))
        })
    }
}

/// Work takes 8 KiB and more. In a box, a request does not hold them while its body arrives.
fn limited<F: Future>(work: F) -> Pin<Box<Timeout<F>>> {
    Box::pin(timeout(PATIENCE, work))
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_command_that_waits_for_the_log_is_answered_within_five_seconds() {
        let start = tokio::time::Instant::now();
        let answer = in_time(std::future::pending::<Result<(), Problem>>()).await;
        assert_eq!(answer.unwrap_err().status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(in_time(async { Ok(7) }).await.unwrap(), 7);
    }
}
