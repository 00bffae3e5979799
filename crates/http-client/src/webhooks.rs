//! Settings of requests to webhooks.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tls::FileFault;
use tls::client::{ClientFiles, Trust};

use crate::destinations::{Destinations, Requests, Rule};
use crate::participants::ParticipantTls;

/// Options of webhooks.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_field_names, reason = "they are the names of the options")]
pub struct WebhookArgs {
    /// The hosts that notifications may go to: names, *.NAME for all names below one, addresses and
    /// networks, each with ':' and a port if only that one is meant [default: those of the public
    /// internet; with `tenuto dev`, also this machine and private networks]
    #[arg(
        long,
        env = "TENUTO_WEBHOOK_HOSTS",
        value_name = "HOST,…",
        value_delimiter = ',',
        help_heading = live::RELOADED
    )]
    webhook_hosts: Vec<Rule>,
    /// A file with authorities of webhooks' certificates, in PEM, in addition to those that this
    /// machine trusts. A changed file is in use within seconds
    #[arg(long, env = "TENUTO_WEBHOOK_CA_FILE", value_name = "FILE")]
    webhook_ca_file: Option<PathBuf>,
    /// How long an endpoint may take to answer a notification, in seconds
    #[arg(
        long,
        env = "TENUTO_WEBHOOK_TIMEOUT_SECONDS",
        default_value_t = 20,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..=300),
        help_heading = live::RELOADED
    )]
    webhook_timeout_seconds: u64,
    /// How long a notification is tried again before it is given up, in seconds: three days and
    /// some hours, as Standard Webhooks recommends. The pauses between attempts change in
    /// proportion
    #[arg(
        long,
        env = "TENUTO_WEBHOOK_RETRY_SECONDS",
        default_value_t = 272_105,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..=31_536_000)
    )]
    webhook_retry_seconds: u64,
}

/// The file of authorities cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("--webhook-ca-file (TENUTO_WEBHOOK_CA_FILE): {0}")]
pub struct WebhookTlsFault(#[from] FileFault);

impl WebhookArgs {
    /// The permitted hosts. `on_one_machine`: shop and Tenuto are tried together, by one person.
    pub fn destinations(&self, on_one_machine: bool) -> Destinations {
        if on_one_machine && self.webhook_hosts.is_empty() {
            return Destinations::default();
        }
        Destinations::of(Requests::ToWebhooks, self.webhook_hosts.clone())
    }

    /// Reads the file of authorities. Needs a runtime: a task reads it again.
    pub fn tls(&self) -> Result<ParticipantTls, WebhookTlsFault> {
        let Some(file) = self.webhook_ca_file.clone() else { return Ok(ParticipantTls::default()) };
        Ok(ParticipantTls::of_config(ClientFiles { trust: Trust::MachineAnd(file), pair: None }.load()?))
    }

    /// How long an endpoint may take to answer.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.webhook_timeout_seconds)
    }

    /// How long a notification is tried again.
    pub fn retries(&self) -> Duration {
        Duration::from_secs(self.webhook_retry_seconds)
    }
}
