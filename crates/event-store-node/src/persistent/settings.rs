//! The identity and settings of a group, and how they are stored: as JSON, with the names of the
//! server's own configuration.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::filter::{Filter, Pattern};

/// The stream or `$all` that a group reads, and the group's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct GroupKey {
    /// A stream, or `$all`.
    #[serde(rename = "stream")]
    pub(crate) source: String,
    pub(crate) group: String,
}

pub(crate) const ALL: &str = "$all";

impl GroupKey {
    pub(crate) fn reads_all(&self) -> bool {
        self.source == ALL
    }

    /// The stream of the group's checkpoints.
    pub(super) fn checkpoint_stream(&self) -> String {
        format!("{self}-checkpoint")
    }

    /// The stream of links to the group's parked events.
    pub(super) fn parked_stream(&self) -> String {
        format!("{self}-parked")
    }
}

/// The names of all streams with the groups' records begin with this.
pub(super) const BOOKS: &str = "$persistentsubscription-";

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BOOKS}{}::{}", self.source, self.group)
    }
}

/// Which consumer gets an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Strategy {
    /// The first consumer, as long as it has room.
    DispatchToSingle,
    /// One after another.
    RoundRobin,
    /// The same consumer for all events of a stream.
    Pinned,
    /// The same consumer for all events with the same correlation id.
    PinnedByCorrelation,
}

impl Strategy {
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::DispatchToSingle, Self::RoundRobin, Self::Pinned, Self::PinnedByCorrelation]
            .into_iter()
            .find(|strategy| strategy.name().eq_ignore_ascii_case(name))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DispatchToSingle => "DispatchToSingle",
            Self::RoundRobin => "RoundRobin",
            Self::Pinned => "Pinned",
            Self::PinnedByCorrelation => "PinnedByCorrelation",
        }
    }
}

/// Times are in milliseconds, sizes in events.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) resolve_link_tos: bool,
    pub(crate) extra_statistics: bool,
    /// How long a consumer may take for an answer. 0: without limit.
    pub(crate) message_timeout: u32,
    pub(crate) max_retry_count: u32,
    pub(crate) check_point_after: u32,
    pub(crate) min_check_point_count: u32,
    pub(crate) max_check_point_count: u32,
    /// 0: any number.
    pub(crate) max_subscriber_count: u32,
    pub(crate) live_buffer_size: u32,
    pub(crate) read_batch_size: u32,
    pub(crate) history_buffer_size: u32,
    pub(crate) named_consumer_strategy: Strategy,
}

impl Settings {
    pub(super) fn message_timeout(&self) -> Option<Duration> {
        (self.message_timeout > 0).then(|| Duration::from_millis(self.message_timeout.into()))
    }
}

/// Where a group begins, as the client requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Start {
    Beginning,
    End,
    /// With the event at this revision, or at this position of `$all`.
    At(u64),
}

/// An expression that selects the events of `$all` that a group reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FilterText {
    pub(crate) on_event_type: bool,
    pub(crate) regex: String,
    pub(crate) prefixes: Vec<String>,
}

impl FilterText {
    pub(crate) fn filter(&self) -> Result<Filter, fancy_regex::Error> {
        let pattern = Pattern::new(&self.regex, self.prefixes.clone())?;
        Ok(if self.on_event_type { Filter::OnEventType(pattern) } else { Filter::OnStream(pattern) })
    }
}

/// A group as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    #[serde(flatten)]
    pub(crate) key: GroupKey,
    #[serde(flatten)]
    pub(crate) settings: Settings,
    pub(crate) start: Start,
    /// The first place to read, determined when the group was created: the end of the log moves,
    /// and the group must not skip events before its first checkpoint.
    pub(crate) first: u64,
    pub(crate) filter: Option<FilterText>,
}
