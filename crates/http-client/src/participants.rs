//! TLS to participants: a private authority, and a certificate to show.

use std::path::PathBuf;

use clap::Args;
use reqwest::ClientBuilder;
use tls::FileFault;
use tls::client::{ClientFiles, Trust};
use tokio_rustls::rustls::ClientConfig;

/// The files of requests to participants.
#[derive(Debug, Clone, Default, Args)]
pub struct ParticipantFiles {
    /// A file with authorities of participants' certificates, in PEM, in addition to those that
    /// this machine trusts. Changed files are in use within seconds
    #[arg(long, env = "TENUTO_PARTICIPANTS_CA_FILE", value_name = "FILE")]
    pub participants_ca_file: Option<PathBuf>,
    /// A file with a certificate to show to participants, in PEM
    #[arg(long, env = "TENUTO_PARTICIPANTS_CERTIFICATE", value_name = "FILE", requires = "participants_key")]
    pub participants_certificate: Option<PathBuf>,
    /// A file with the private key of that certificate, in PEM
    #[arg(long, env = "TENUTO_PARTICIPANTS_KEY", value_name = "FILE", requires = "participants_certificate")]
    pub participants_key: Option<PathBuf>,
}

/// A file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("--participants-ca-file, --participants-certificate or --participants-key (TENUTO_PARTICIPANTS_…): {0}")]
pub struct TlsFault(#[from] FileFault);

/// TLS of requests to participants, with the current files.
#[derive(Debug, Clone, Default)]
pub struct ParticipantTls(Option<ClientConfig>);

impl ParticipantFiles {
    /// Reads the files. Needs a runtime: a task reads them again.
    pub fn load(&self) -> Result<ParticipantTls, TlsFault> {
        let pair = self.participants_certificate.clone().zip(self.participants_key.clone());
        let trust = self.participants_ca_file.clone().map_or(Trust::Machine, Trust::MachineAnd);
        if trust == Trust::Machine && pair.is_none() {
            return Ok(ParticipantTls::default());
        }
        Ok(ParticipantTls(Some(ClientFiles { trust, pair }.load()?)))
    }
}

impl ParticipantTls {
    /// With this configuration.
    pub(crate) fn of_config(config: ClientConfig) -> Self {
        Self(Some(config))
    }

    /// Sets it up in a client. Without files, the client stays as it is.
    pub fn of(&self, builder: ClientBuilder) -> ClientBuilder {
        match &self.0 {
            None => builder,
            Some(config) => builder.use_preconfigured_tls(config.clone()),
        }
    }
}
