//! How far a copy is.

use command_line::progress::Counts;

/// The progress is reported after this many events.
pub(super) const EVENTS_PER_REPORT: u64 = 64;

/// The progress of a copy.
#[derive(Debug, Default, Clone)]
pub struct Copying {
    pub(super) stage: Stage,
    /// The position in the source.
    pub(super) position: u64,
    /// The source's last position.
    pub(super) to: u64,
    /// How many events were handled in this stage.
    pub(super) events: u64,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) enum Stage {
    #[default]
    Comparing,
    Copying,
}

impl Counts for Copying {
    fn total(&self) -> Option<u64> {
        Some(self.to)
    }

    fn done(&self) -> u64 {
        self.position
    }

    fn in_words(&self) -> String {
        let done = match self.stage {
            Stage::Comparing => "compared",
            Stage::Copying => "copied",
        };
        format!("{} events {done}, up to position {} of {}", self.events, self.position, self.to)
    }
}
