//! What lets a participant and the command endpoint recognise each other's requests.

use chrono::{DateTime, Utc};
use signing::{ParticipantSecrets, SecretFile, SigningOptions, webhook};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::callbacks::{CallbackSecretsError, Callbacks};

/// What signs requests to participants. By default, nothing does.
#[derive(Debug, Clone, Default)]
pub struct RequestSigning {
    /// The tokens of callbacks.
    pub(crate) callbacks: Option<Callbacks>,
    /// The secrets of participants. Requests to a participant without a secret are not signed.
    pub(crate) secrets: Option<SecretFile<ParticipantSecrets>>,
}

impl RequestSigning {
    /// With the secrets that the options name. Without a file for callbacks, the database has
    /// theirs.
    pub async fn start(pool: &PgPool, options: &SigningOptions) -> Result<Self, CallbackSecretsError> {
        let callbacks = Callbacks::start(pool, options.callback_secrets()).await?;
        Ok(Self { callbacks: Some(callbacks), secrets: options.participant_secrets() })
    }

    /// Follows rotations of the secret of callbacks, until `stop`.
    pub async fn watch(self, stop: CancellationToken) {
        if let Some(callbacks) = self.callbacks {
            callbacks.watch(stop).await;
        }
    }

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
