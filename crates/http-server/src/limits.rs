//! The resources of a process that clients may hold, and for how long.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};

/// The limit of connections of a listener, however many files the process may open.
const MAX_CONNECTIONS: usize = 8_192;

/// The bounds of a listener.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// Connections at once. Past it, the one that has been idle longest makes room.
    pub connections: usize,
    /// Further connections, on which only probes are answered.
    pub reserve: usize,
    /// How large the head of a request may be, in bytes.
    pub head_bytes: usize,
    /// How long the handshake of TLS may take.
    pub handshake: Duration,
    /// How long the head of a request may take to arrive, from its first byte.
    pub head: Duration,
    /// How long a connection may have no request.
    pub idle: Duration,
    /// How long a body may pause.
    pub body_pause: Duration,
    /// How long a body may take as a whole.
    pub body: Duration,
    /// What the bodies of all requests under way may hold in memory, in bytes.
    pub bodies_bytes: usize,
    /// How long a client may take none of the bytes that are sent to it.
    pub take: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: connections_for(getrlimit(Resource::Nofile).current),
            reserve: 32,
            head_bytes: 64 * 1024,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            // Longer than clients keep a connection for later: they close it, so no request meets a
            // close.
            idle: Duration::from_mins(2),
            body_pause: Duration::from_secs(10),
            body: Duration::from_mins(1),
            bodies_bytes: 128 * 1024 * 1024,
            take: Duration::from_secs(30),
        }
    }
}

/// Half of the files that the process may open: log, database and participants need the others.
fn connections_for(files: Option<u64>) -> usize {
    let files = files.and_then(|files| usize::try_from(files).ok());
    files.map_or(MAX_CONNECTIONS, |files| (files / 2).clamp(1, MAX_CONNECTIONS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_limits_has_these() {
        let page = include_str!("../../../docs/platform/limits.md");
        let Limits { handshake, head, idle, body_pause, body, take, .. } = Limits::default();
        for (part, limit) in [
            ("handshake of TLS", handshake),
            ("head", head),
            ("pause within a body", body_pause),
            ("whole body", body),
            ("no request", idle),
            ("an answer that the client does not take", take),
        ] {
            let row = format!("| {part} | {} s |", limit.as_secs());
            assert!(page.lines().any(|line| line == row), "{row}");
        }
    }

    #[test]
    fn connections_leave_half_of_the_files_to_log_database_and_participants() {
        assert_eq!(connections_for(Some(1_024)), 512);
        assert_eq!(connections_for(Some(1 << 30)), MAX_CONNECTIONS);
        assert_eq!(connections_for(None), MAX_CONNECTIONS);
        assert_eq!(connections_for(Some(0)), 1);
    }
}
