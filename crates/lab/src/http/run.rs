//! A run under way, and its answer: a line of JSON for each state (NDJSON).
//!
//! Each line is the whole result so far, and the last one says how the run ended. So a client needs
//! only the last line that it has, and one that reads slowly holds nothing up: it gets fewer lines.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::turns::Turn;

const MEDIA_TYPE: &str = "application/x-ndjson";
/// The time limit of a run.
const PATIENCE: Duration = Duration::from_mins(5);
/// The shortest time between two states that are shown.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest time between two lines. A line that cannot be sent shows that the client is gone.
const ALIVE: Duration = Duration::from_secs(5);

/// A run, for the task that does it.
#[derive(Debug)]
pub(super) struct Run {
    stop: CancellationToken,
    deadline: Instant,
    shown: watch::Sender<Value>,
    next_at: Mutex<Instant>,
    /// What every line has besides the results.
    about: Value,
}

/// The end of a run.
#[derive(Debug, PartialEq)]
pub(super) enum End {
    /// All of it is done.
    Done(Value),
    /// It ended early with these results, for this reason.
    Stopped(Value, String),
    /// It has no results, for this reason.
    Failed(String),
}

impl Run {
    /// Shows the results so far, unless others were shown a moment ago.
    pub fn show(&self, results: impl FnOnce() -> Value) {
        let now = Instant::now();
        let mut next_at = self.next_at.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= *next_at {
            *next_at = now + PAUSE;
            self.shown.send_replace(self.line("running", results()));
        }
    }

    fn line(&self, state: &str, mut results: Value) -> Value {
        results["state"] = json!(state);
        results["definition"] = self.about.clone();
        results
    }

    /// The last line.
    fn last_line(&self, end: End) -> Value {
        let (state, results, reason) = match end {
            End::Done(results) => ("done", results, None),
            End::Stopped(results, reason) => ("stopped", results, Some(reason)),
            End::Failed(reason) => ("failed", json!({}), Some(reason)),
        };
        let mut line = self.line(state, results);
        if let Some(reason) = reason {
            line["reason"] = json!(reason);
        }
        line
    }

    /// The results that were shown last.
    pub fn latest(&self) -> Value {
        self.shown.borrow().clone()
    }

    /// Why the run has to end now, if it has to.
    pub fn over(&self) -> Option<String> {
        if self.stop.is_cancelled() {
            return Some("the server is shutting down, or the client is gone; begin again".to_owned());
        }
        (Instant::now() >= self.deadline).then(|| format!("the time limit of {} s has passed", PATIENCE.as_secs()))
    }

    /// Waits until the run has to end.
    pub async fn ends(&self) -> String {
        loop {
            if let Some(reason) = self.over() {
                return reason;
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = sleep_until(self.deadline) => {}
            }
        }
    }
}

/// Begins a run in another task, and answers with its lines, each of which has `about`. It
/// stops when the client is gone, or when `leaving` is cancelled.
pub(super) fn answer<F>(
    turn: Turn,
    leaving: &CancellationToken,
    about: Value,
    work: impl FnOnce(Arc<Run>) -> F,
) -> Response
where
    F: Future<Output = End> + Send + 'static,
{
    let (shown, latest) = watch::channel(json!({}));
    let (stop, now) = (leaving.child_token(), Instant::now());
    let deadline = now + PATIENCE;
    let run = Arc::new(Run { stop: stop.clone(), deadline, shown, next_at: Mutex::new(now), about });
    run.shown.send_replace(run.line("running", json!({})));
    let work = work(run.clone());
    tokio::spawn(async move {
        // In another task, so that a panic becomes an end, too.
        let end = tokio::spawn(work).await;
        let end = end.unwrap_or_else(|error| End::Failed(format!("it broke off: {error}")));
        // A client that has the last line may begin the next run.
        drop(turn);
        run.shown.send_replace(run.last_line(end));
    });
    let lines = stream::unfold(Some((latest, stop.drop_guard())), |reading| async {
        let (mut latest, guard) = reading?;
        // The sender is gone without an end only if the runtime is.
        if matches!(timeout(ALIVE, latest.changed()).await, Ok(Err(_))) {
            return None;
        }
        let line = latest.borrow_and_update().clone();
        let goes_on = line["state"] == "running";
        Some((Ok::<_, Infallible>(format!("{line}\n")), goes_on.then_some((latest, guard))))
    });
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], Body::from_stream(lines)).into_response()
}

#[cfg(test)]
mod tests {
    use access::Caller;
    use futures::StreamExt;
    use tokio::sync::oneshot;

    use super::super::turns::Turns;
    use super::*;

    async fn lines(response: Response) -> Vec<Value> {
        let text = axum::body::to_bytes(response.into_body(), 100_000).await.unwrap();
        std::str::from_utf8(&text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn turn(turns: &Arc<Turns>) -> Turn {
        turns.take(&Caller::Anyone).unwrap()
    }

    #[tokio::test]
    async fn each_line_is_the_result_so_far_and_the_last_one_tells_the_end() {
        let turns = Arc::new(Turns::default());
        let response = answer(turn(&turns), &CancellationToken::new(), json!("w"), |run| async move {
            run.show(|| json!({ "orders": 1 }));
            run.show(|| panic!("too soon after the first"));
            End::Stopped(json!({ "orders": 2 }), "so it is".to_owned())
        });
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
        let lines = lines(response).await;
        let last = json!({ "orders": 2, "state": "stopped", "reason": "so it is", "definition": "w" });
        assert_eq!(*lines.last().unwrap(), last);
        assert!(lines[..lines.len() - 1].iter().all(|line| line["state"] == "running"), "{lines:?}");
    }

    #[tokio::test]
    async fn a_run_that_panics_has_failed_and_its_turn_is_free() {
        let turns = Arc::new(Turns::default());
        let first = answer(turn(&turns), &CancellationToken::new(), json!("w"), |_| async { panic!("planted") });
        let last = lines(first).await.pop().unwrap();
        assert!(last["state"] == "failed" && last["reason"].as_str().unwrap().contains("broke off"), "{last}");
        let _both = [turn(&turns), turn(&turns)];
    }

    #[tokio::test]
    async fn a_run_ends_when_its_client_is_gone() {
        let turns = Arc::new(Turns::default());
        let (ended, ends) = oneshot::channel();
        let response = answer(turn(&turns), &CancellationToken::new(), json!("w"), |run| async move {
            run.show(|| json!({}));
            let _ = ended.send(run.ends().await);
            End::Failed("gone".to_owned())
        });
        let mut lines = response.into_body().into_data_stream();
        lines.next().await.unwrap().unwrap();
        drop(lines);
        assert!(ends.await.unwrap().contains("client is gone"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_ends_at_its_time_limit_and_shows_until_then_that_it_lives() {
        let turns = Arc::new(Turns::default());
        let response = answer(turn(&turns), &CancellationToken::new(), json!("w"), |run| async move {
            run.show(|| json!({ "orders": 7 }));
            let reason = run.ends().await;
            End::Stopped(run.latest(), reason)
        });
        let lines = lines(response).await;
        let last = lines.last().unwrap();
        assert_eq!((&last["state"], &last["orders"]), (&json!("stopped"), &json!(7)), "{last}");
        assert!(last["reason"].as_str().unwrap().contains("300 s"), "{last}");
        assert!(lines.len() > 50, "{} lines in five minutes", lines.len());
    }
}
