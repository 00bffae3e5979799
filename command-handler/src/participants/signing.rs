//! What lets a participant and the command endpoint recognise each other's requests.

use chrono::{DateTime, Utc};
use signing::{ParticipantSecrets, SecretFile, webhook};

use crate::callbacks::Callbacks;

/// What signs requests to participants. By default, nothing does.
#[derive(Debug, Clone, Default)]
pub struct RequestSigning {
    /// The tokens of callbacks.
    pub callbacks: Option<Callbacks>,
    /// The secrets of participants. Requests to a participant without a secret are not signed.
    pub secrets: Option<SecretFile<ParticipantSecrets>>,
}

impl RequestSigning {
    /// The headers that sign an attempt (Standard Webhooks). `id` is the same for each attempt, and
    /// the time is that of this one.
    pub(super) fn headers(
        &self,
        participant: &str,
        id: &str,
        now: DateTime<Utc>,
        body: &[u8],
    ) -> Vec<(&'static str, String)> {
        let Some(file) = &self.secrets else { return Vec::new() };
        let known = file.current();
        let secrets = known.of(participant);
        if secrets.is_empty() {
            return Vec::new();
        }
        let signature = webhook::sign(secrets, id, now.timestamp(), body);
        vec![
            (webhook::ID, id.to_owned()),
            (webhook::TIMESTAMP, now.timestamp().to_string()),
            (webhook::SIGNATURE, signature),
        ]
    }
}
