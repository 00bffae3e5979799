//! Options that name files of secrets. A secret itself is no option: the command line of a process
//! is visible to every user of the machine.

use clap::Args;

use crate::callback::CallbackSecrets;
use crate::{FromLines, ParticipantSecrets, SecretFile};

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

/// Where all secrets of a command handler come from.
#[derive(Debug, Clone, Default, Args)]
pub struct SigningOptions {
    /// A file of the secrets for the tokens of callbacks: one a line, in Base64; the first signs,
    /// all are accepted [default: Postgres holds them]
    #[arg(
        long,
        env = "TENUTO_CALLBACK_SECRETS_FILE",
        value_name = "FILE",
        value_parser = SecretFile::<CallbackSecrets>::open
    )]
    callback_secrets_file: Option<SecretFile<CallbackSecrets>>,
    #[command(flatten)]
    participants: ParticipantSecretsOption,
}

impl ParticipantSecretsOption {
    /// The file, if one is named.
    pub fn participant_secrets(&self) -> Option<SecretFile<ParticipantSecrets>> {
        warned(self.participant_secrets_file.as_ref())
    }
}

impl SigningOptions {
    /// The file of the secrets for callbacks, if one is named.
    pub fn callback_secrets(&self) -> Option<SecretFile<CallbackSecrets>> {
        warned(self.callback_secrets_file.as_ref())
    }

    /// The file of the participants' secrets, if one is named.
    pub fn participant_secrets(&self) -> Option<SecretFile<ParticipantSecrets>> {
        self.participants.participant_secrets()
    }
}

fn warned<T: FromLines + Clone>(file: Option<&SecretFile<T>>) -> Option<SecretFile<T>> {
    file.inspect(|file| file.warn_if_open()).cloned()
}
