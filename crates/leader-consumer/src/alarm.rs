//! An alarm for the whole process: its checkpoints belong to another log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{Collector, DescriptorEncoder, Metric};
use tracing::{error, info};

metrics::metrics! {
    LOG_MISMATCH: 0 = Metric::gauge(
        "tenuto_log_mismatch",
        [],
        "1 while the log is not the one that the views were made from, or requests and replies were read from",
    );
}

/// Why this process must not act on its log. Each component raises the alarm under its own name.
/// Clones share it.
#[derive(Debug, Clone, Default)]
pub struct LogAlarm(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl LogAlarm {
    /// Raises the alarm, or replaces its reason. A new reason is logged once.
    pub fn raise(&self, who: &'static str, reason: &str) {
        let before = self.reasons().insert(who, reason.to_owned());
        if before.as_deref() != Some(reason) {
            error!(who, reason, "this process does not act on the log");
        }
    }

    /// Removes the reason that was raised under this name.
    pub fn clear(&self, who: &'static str) {
        if self.reasons().remove(who).is_some() {
            info!(who, "the log is the right one");
        }
    }

    /// The reasons, a line each; `None`: there is no alarm.
    pub fn reason(&self) -> Option<String> {
        let reasons = self.reasons();
        let lines: Vec<String> = reasons.iter().map(|(who, reason)| format!("{who}: {reason}")).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// Whether the alarm is raised.
    pub fn is_raised(&self) -> bool {
        !self.reasons().is_empty()
    }

    fn reasons(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for LogAlarm {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        LOG_MISMATCH.write(&mut encoder, self.is_raised())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_stays_until_every_component_that_raised_it_has_cleared_it() {
        let alarm = LogAlarm::default();
        assert_eq!(alarm.reason(), None);
        alarm.raise("views", "another log");
        alarm.clone().raise("replies", "ahead");
        alarm.clear("views");
        assert_eq!(alarm.reason().as_deref(), Some("replies: ahead"));
        alarm.clear("replies");
        assert!(!alarm.is_raised());
    }
}
