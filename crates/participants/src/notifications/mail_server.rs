//! The mail server that sends mails.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, Tokio1Executor};

/// The time-out of one exchange with the mail server.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A mail server, and the sender.
#[derive(Debug, Clone)]
pub struct MailServer {
    pub(super) transport: AsyncSmtpTransport<Tokio1Executor>,
    pub(super) from: Mailbox,
}

/// Why a value is not a [`MailServer`].
#[derive(Debug, thiserror::Error)]
pub enum InvalidMailServer {
    /// Not a URL of a mail server.
    #[error("not a mail server's URL such as smtp://host:25: {0}")]
    Url(#[source] lettre::transport::smtp::Error),
    /// Not a sender.
    #[error("not a sender such as \"Shop <orders@shop.example>\": {0}")]
    Sender(#[source] lettre::address::AddressError),
}

impl MailServer {
    /// A server with this URL (`smtp://user:password@host:port`), and the sender of all mail.
    pub fn new(url: &str, from: &str) -> Result<Self, InvalidMailServer> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(InvalidMailServer::Url)?
            .timeout(Some(TIMEOUT))
            .build();
        Ok(Self { transport, from: from.parse().map_err(InvalidMailServer::Sender)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_mail_server_is_refused_with_the_reason() {
        assert!(MailServer::new("smtp://localhost:2525", "Shop <orders@shop.example>").is_ok());
        for (url, from) in
            [("localhost", "a@b.example"), ("http://localhost", "a@b.example"), ("smtp://localhost", "nobody")]
        {
            assert!(MailServer::new(url, from).is_err(), "{url} {from}");
        }
    }
}
