//! The verification of everything, which goes on while its progress is asked for. There is one at a
//! time, and the report of the last one is kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use command_line::progress::Progress;
use error_causes::with_causes;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::error::AuditError;
use crate::findings::Report;
use crate::walk::Walking;

/// The verifications of a server.
pub(super) struct Runs {
    latest: Arc<Mutex<Option<Run>>>,
    leaving: CancellationToken,
}

struct Run {
    started_at: DateTime<Utc>,
    progress: Arc<Progress<Walking>>,
    end: Option<(DateTime<Utc>, Result<Report, String>)>,
}

impl Runs {
    /// They end when `leaving` is cancelled.
    pub fn until(leaving: CancellationToken) -> Self {
        Self { latest: Arc::default(), leaving }
    }

    /// Begins one. False: one is under way.
    pub fn begin<F>(&self, verify: impl FnOnce(Arc<Progress<Walking>>) -> F) -> bool
    where
        F: Future<Output = Result<Report, AuditError>> + Send + 'static,
    {
        let mut latest = lock(&self.latest);
        if latest.as_ref().is_some_and(|run| run.end.is_none()) {
            return false;
        }
        let progress = Arc::new(Progress::silent(Walking::default()));
        let verifying = verify(progress.clone());
        *latest = Some(Run { started_at: Utc::now(), progress, end: None });
        let (kept, leaving) = (self.latest.clone(), self.leaving.clone());
        tokio::spawn(async move {
            // In another task, so that a panic becomes an end, too.
            let mut verifying = tokio::spawn(verifying);
            let ended = tokio::select! {
                ended = &mut verifying => match ended {
                    Ok(ended) => ended.map_err(|error| with_causes(&error)),
                    Err(error) => Err(format!("the verification broke off: {error}")),
                },
                () = leaving.cancelled() => {
                    verifying.abort();
                    Err("the server was stopped before it was done".to_owned())
                }
            };
            if let Some(run) = lock(&kept).as_mut() {
                run.end = Some((Utc::now(), ended));
            }
        });
        true
    }

    /// The latest one, for callers.
    pub fn shown(&self) -> Value {
        let latest = lock(&self.latest);
        let Some(Run { started_at, progress, end }) = latest.as_ref() else { return json!({ "state": "none" }) };
        let Walking { position, to, events } = progress.counts();
        let mut shown = json!({
            "startedAt": started_at, "position": position.to_string(), "end": to.to_string(), "events": events,
        });
        match end {
            None => shown["state"] = json!("running"),
            Some((at, ended)) => {
                shown["endedAt"] = json!(at);
                match ended {
                    Ok(report) => (shown["state"], shown["report"]) = (json!("done"), json!(report)),
                    Err(error) => (shown["state"], shown["error"]) = (json!("failed"), json!(error)),
                }
            }
        }
        shown
    }
}

fn lock(latest: &Mutex<Option<Run>>) -> MutexGuard<'_, Option<Run>> {
    latest.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::findings::Findings;

    async fn until(runs: &Runs, state: &str) -> Value {
        while runs.shown()["state"] != state {
            tokio::task::yield_now().await;
        }
        runs.shown()
    }

    fn report() -> Report {
        Report::new(vec!["log: 2 events".to_owned()], vec![], Findings::default())
    }

    #[tokio::test]
    async fn one_verification_runs_at_a_time_and_its_report_is_kept() {
        let runs = Runs::until(CancellationToken::new());
        assert_eq!(runs.shown()["state"], "none");
        let (end, ends) = oneshot::channel();
        assert!(runs.begin(|progress| async move {
            progress.change(|walking| (walking.position, walking.to) = (1, 2));
            Ok(ends.await.unwrap())
        }));
        let running = until(&runs, "running").await;
        assert!(!runs.begin(async |_| Ok(report())), "one is under way");
        assert!(running["startedAt"].is_string() && running.get("report").is_none(), "{running}");
        end.send(report()).unwrap();
        let done = until(&runs, "done").await;
        assert_eq!(
            (&done["report"]["clean"], &done["position"], &done["end"]),
            (&json!(true), &json!("1"), &json!("2"))
        );
        assert!(runs.begin(async |_| Ok(report())), "the next one may begin");
    }

    #[tokio::test]
    async fn a_verification_that_fails_panics_or_is_stopped_has_ended() {
        let leaving = CancellationToken::new();
        let runs = Runs::until(leaving.clone());
        assert!(runs.begin(async |_| Err(AuditError::NothingToVerify(7))));
        assert!(until(&runs, "failed").await["error"].as_str().unwrap().contains("no order"));
        assert!(runs.begin(async |_| panic!("planted")));
        assert!(until(&runs, "failed").await["error"].as_str().unwrap().contains("broke off"));
        assert!(runs.begin(async |_| std::future::pending().await));
        leaving.cancel();
        assert!(until(&runs, "failed").await["error"].as_str().unwrap().contains("stopped"));
    }
}
