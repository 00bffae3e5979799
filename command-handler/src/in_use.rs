//! The definitions in use whose participants cannot be asked here, since a setting is missing or
//! wrong. A handler that finds one when it starts is not ready: orders would come to it and only
//! wait.
//!
//! In use are the definitions that the handler was given, those that orders follow which have not
//! ended, and the newest of each name, which orders can be placed for. Of the shipped ones, and of
//! those that the operator names as unused, only what orders follow counts. A definition may be
//! registered later, at an instance that has the setting. Here it is only a warning: a registration
//! must not make the other instances unready.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use domain::order::WorkflowRef;
use sqlx::PgPool;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::Orchestrator;
use crate::participants::Participants;

/// The interval between measurements.
const EVERY: Duration = Duration::from_secs(30);
/// The limit for one measurement.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many participants are named.
const MAX_NAMED: usize = 20;

/// The participants of definitions in use that cannot be asked here. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Unreachable(Arc<RwLock<Found>>);

#[derive(Debug, Default)]
struct Found {
    /// What was found when the handler started, as far as it still holds.
    at_start: BTreeSet<String>,
    later: BTreeSet<String>,
    /// Whether the first look is done.
    started: bool,
}

/// Which definitions count as used.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// Those that the handler was given.
    pub given: Vec<WorkflowRef>,
    /// The names of those that only count while orders follow them.
    pub optional: Vec<String>,
}

impl Unreachable {
    /// Why the handler is not ready, if it is not.
    pub fn reason(&self) -> Option<String> {
        lines(&self.read().at_start)
    }

    /// What was found later, while the handler ran.
    pub fn warning(&self) -> Option<String> {
        lines(&self.read().later)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Found> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what a look has found, and reports what is new.
    fn take(&self, now: &BTreeSet<String>) {
        let mut found = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !found.started {
            found.started = true;
            found.at_start.clone_from(now);
            for unreachable in now {
                error!("this instance is not ready: {unreachable}");
            }
            return;
        }
        found.at_start.retain(|unreachable| now.contains(unreachable));
        for unreachable in now.iter().filter(|new| !found.at_start.contains(*new) && !found.later.contains(*new)) {
            warn!("orders wait for a setting of this instance: {unreachable}");
        }
        found.later = now.difference(&found.at_start).cloned().collect();
    }
}

fn lines(found: &BTreeSet<String>) -> Option<String> {
    let mut text = String::new();
    for unreachable in found.iter().take(MAX_NAMED) {
        // Writing to a text does not fail.
        let _ = writeln!(text, "{unreachable}");
    }
    if found.len() > MAX_NAMED {
        let _ = writeln!(text, "and {} more", found.len() - MAX_NAMED);
    }
    (!text.is_empty()).then_some(text)
}

/// Looks once. If the views do not answer in time, nothing changes until the next look.
pub async fn look_for_unreachable<L: Log, P: Participants, C: Clock>(
    orchestrator: &Orchestrator<L, P, C>,
    pool: &PgPool,
    usage: &Usage,
    unreachable: &Unreachable,
) {
    let used = match timeout(PATIENCE, in_use(pool)).await {
        Ok(Ok(used)) => used,
        Ok(Err(error)) => return warn!(%error, "which workflows are in use is not known now"),
        Err(_) => return warn!("which workflows are in use is not known now: Postgres does not answer in time"),
    };
    let counts = |used: &Used| used.is_followed || !usage.optional.contains(&used.workflow.name);
    let used = used.into_iter().filter(counts).map(|used| used.workflow);
    let mut found = BTreeSet::new();
    for reference in usage.given.iter().cloned().chain(used) {
        match orchestrator.workflows().get(&reference).await {
            Ok(Some(workflow)) => {
                for cannot in orchestrator.participants().without_address(&workflow) {
                    found.insert(format!("workflow {} version {}: {cannot}", reference.name, reference.version));
                }
            }
            // The views may be of a log that was replaced, which is reported elsewhere.
            Ok(None) => {}
            Err(error) => warn!(%error, "a workflow in use cannot be looked at"),
        }
    }
    unreachable.take(&found);
}

/// Looks again, until told to stop.
pub async fn watch_unreachable<L: Log, P: Participants, C: Clock>(
    orchestrator: Orchestrator<L, P, C>,
    pool: PgPool,
    usage: Usage,
    unreachable: Unreachable,
    stop: CancellationToken,
) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first is at once, and was just done.
    ticks.tick().await;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        look_for_unreachable(&orchestrator, &pool, &usage, &unreachable).await;
    }
}

/// A definition that the views have.
struct Used {
    workflow: WorkflowRef,
    /// Whether orders follow it that have not ended.
    is_followed: bool,
}

async fn in_use(pool: &PgPool) -> Result<Vec<Used>, sqlx::Error> {
    let rows = views::workflows_in_use(pool).await?;
    let used = |(name, version, is_followed): (String, i32, bool)| Used {
        workflow: WorkflowRef { name, version: version.cast_unsigned() },
        is_followed,
    };
    Ok(rows.into_iter().map(used).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_is_found_at_the_start_makes_the_handler_unready_and_what_comes_later_is_a_warning() {
        let unreachable = Unreachable::default();
        assert_eq!((unreachable.reason(), unreachable.warning()), (None, None));
        unreachable.take(&set(&["tax"]));
        assert_eq!((unreachable.reason().as_deref(), unreachable.warning()), (Some("tax\n"), None));
        unreachable.take(&set(&["tax", "mail"]));
        let (reason, warning) = (unreachable.reason(), unreachable.warning());
        assert_eq!((reason.as_deref(), warning.as_deref()), (Some("tax\n"), Some("mail\n")));
        unreachable.take(&set(&["mail"]));
        assert_eq!(unreachable.reason(), None, "no order follows it any more");
        unreachable.take(&set(&["mail", "tax"]));
        assert_eq!(unreachable.reason(), None);
        assert_eq!(unreachable.warning().as_deref(), Some("mail\ntax\n"));
    }

    #[test]
    fn only_so_many_are_named() {
        let many: BTreeSet<String> = (0..MAX_NAMED + 3).map(|n| format!("{n:02}")).collect();
        let text = lines(&many).unwrap();
        assert_eq!(text.lines().count(), MAX_NAMED + 1);
        assert!(text.ends_with("and 3 more\n"));
    }
}
