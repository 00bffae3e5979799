//! Options that name files of secrets. A secret itself is no option: the command line of a process
//! is visible to every user of the machine.

use clap::Args;

use crate::callback::CallbackSecrets;
use crate::{ParticipantSecrets, SecretFile};

/// Where the secrets for the tokens of callbacks come from.
#[derive(Debug, Clone, Default, Args)]
pub struct CallbackSecretsOption {
    /// A file of the secrets for the tokens of callbacks: one a line, in Base64; the first signs,
    /// all are accepted [default: Postgres holds them]
    #[arg(
        long,
        env = "TENUTO_CALLBACK_SECRETS_FILE",
        value_name = "FILE",
        value_parser = SecretFile::<CallbackSecrets>::open
    )]
    callback_secrets_file: Option<SecretFile<CallbackSecrets>>,
}

/// Where the secrets come from that requests to participants are signed with.
#[derive(Debug, Clone, Default, Args)]
pub struct ParticipantSecretsOption {
    /// A file of the secrets that requests to participants are signed with: a line for each
    /// participant, like `shipping: [whsec_NEW, whsec_OLD]`
    #[arg(
        long,
        env = "TENUTO_PARTICIPANT_SECRETS_FILE",
        value_name = "FILE",
        value_parser = SecretFile::<ParticipantSecrets>::open
    )]
    participant_secrets_file: Option<SecretFile<ParticipantSecrets>>,
}

impl CallbackSecretsOption {
    /// The file, if one is named.
    pub fn file(&self) -> Option<SecretFile<CallbackSecrets>> {
        let file = self.callback_secrets_file.clone()?;
        file.warn_if_open();
        Some(file)
    }
}

impl ParticipantSecretsOption {
    /// The file, if one is named.
    pub fn file(&self) -> Option<SecretFile<ParticipantSecrets>> {
        let file = self.participant_secrets_file.clone()?;
        file.warn_if_open();
        Some(file)
    }
}
