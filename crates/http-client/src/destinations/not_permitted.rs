//! Why a request must not be sent.

/// A request to a host that the configuration does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPermitted {
    /// No participant has its address, but attacks ask for it.
    #[error(
        "requests must not go to {host}: it is {what}; if a participant is there, name its address in --participant-hosts \
         (TENUTO_PARTICIPANT_HOSTS)"
    )]
    Guarded {
        /// The host, with its address.
        host: String,
        /// What is there.
        what: &'static str,
    },
    /// No rule names it.
    #[error("requests must not go to {host}: --participant-hosts (TENUTO_PARTICIPANT_HOSTS) allows only {allowed}")]
    Outside {
        /// The host, with its port.
        host: String,
        /// The rules.
        allowed: String,
    },
    /// No rule names it, and a proxy keeps from knowing which network has it.
    #[error(
        "requests must not go to {host}: a proxy resolves the name, so the network that has it is not known here; name \
         the host in --participant-hosts (TENUTO_PARTICIPANT_HOSTS)"
    )]
    Proxied {
        /// The host.
        host: String,
    },
}
