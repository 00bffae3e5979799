//! The last event of a replay.

use chrono::{DateTime, Utc};
use domain::replay::Recorded;

use command_line::moment;

/// The last event to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The one with this index.
    Revision(u64),
    /// The last one that was decided at this time or before.
    Time(DateTime<Utc>),
}

impl Until {
    /// Reads a revision or a moment.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(revision) = text.parse() {
            return Ok(Until::Revision(revision));
        }
        let wrong = || format!("{text:?} is neither a revision, like 7, nor a moment, like 2026-01-31T09:00:00Z");
        moment::parse(text).map(Until::Time).ok_or_else(wrong)
    }

    /// The events up to there.
    pub fn of(self, history: &[Recorded]) -> &[Recorded] {
        let within = |recorded: &&Recorded| match self {
            Until::Revision(revision) => recorded.revision <= revision,
            Until::Time(time) => recorded.event.at() <= time,
        };
        &history[..history.iter().take_while(within).count()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_revision_and_anything_else_a_moment() {
        assert_eq!(Until::parse("7"), Ok(Until::Revision(7)));
        assert_eq!(Until::parse("2026-01-31"), Ok(Until::Time("2026-01-31T00:00:00Z".parse().unwrap())));
        assert!(Until::parse("-1").unwrap_err().contains("neither a revision"));
        assert!(Until::parse("noon").is_err());
    }
}
