//! Why a request must not be sent.

use std::fmt;

/// What requests are for. Each has an option that names their hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// A participant acts on an order.
    ToParticipants,
    /// A system of the shop is notified.
    ToWebhooks,
}

impl Requests {
    fn receiver(self) -> &'static str {
        match self {
            Self::ToParticipants => "a participant",
            Self::ToWebhooks => "the endpoint of a webhook",
        }
    }
}

/// The option that names the hosts.
impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ToParticipants => "--participant-hosts (TENUTO_PARTICIPANT_HOSTS)",
            Self::ToWebhooks => "--webhook-hosts (TENUTO_WEBHOOK_HOSTS)",
        })
    }
}

/// A request to a host that the configuration does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPermitted {
    /// No receiver has its address, but attacks ask for it.
    #[error("requests must not go to {host}: it is {what}; if {} is there, name its address in {requests}", requests.receiver())]
    Guarded {
        /// The host, with its address.
        host: String,
        /// What is there.
        what: &'static str,
        /// Of which requests.
        requests: Requests,
    },
    /// It is this machine, or in a private network.
    #[error(
        "requests must not go to {host}: its address is not one of the public internet; if {} is there, name it in {}, \
         with all other hosts of webhooks",
        Requests::ToWebhooks.receiver(),
        Requests::ToWebhooks
    )]
    NotPublic {
        /// The host, with its address.
        host: String,
    },
    /// No rule names it.
    #[error("requests must not go to {host}: {requests} allows only {allowed}")]
    Outside {
        /// The host, with its port.
        host: String,
        /// The rules.
        allowed: String,
        /// Of which requests.
        requests: Requests,
    },
    /// No rule names it, and a proxy keeps from knowing which network has it.
    #[error(
        "requests must not go to {host}: a proxy resolves the name, so the network that has it is not known here; name \
         the host in {requests}"
    )]
    Proxied {
        /// The host.
        host: String,
        /// Of which requests.
        requests: Requests,
    },
}
