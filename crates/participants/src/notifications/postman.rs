//! Sends mail from the mailbox through the mail server.

use std::time::Duration;

use lettre::message::{Mailbox, Message, header::ContentType};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use uuid::Uuid;

use crate::outbox::{Outbox, Queue, Ticket, Verdict, queue_in};

/// The time-out of one exchange with the mail server.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A mail server, and the sender.
#[derive(Debug, Clone)]
pub struct MailServer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
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

/// The outbox of mails.
pub(crate) struct Mails(pub(crate) MailServer);

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct QueuedMail {
    #[sqlx(flatten)]
    ticket: Ticket,
    message_id: Uuid,
    recipient: String,
    recipient_name: Option<String>,
    subject: String,
    body: String,
}

impl AsRef<Ticket> for QueuedMail {
    fn as_ref(&self) -> &Ticket {
        &self.ticket
    }
}

impl QueuedMail {
    /// The mail as it is sent. Its id is the same for every attempt, so a reader can drop a second
    /// copy.
    fn message(&self, from: &Mailbox) -> Result<Message, String> {
        let address: Address = self.recipient.parse().map_err(|error| format!("the recipient: {error}"))?;
        Message::builder()
            .message_id(Some(format!("<{}@{}>", self.message_id, from.email.domain())))
            .from(from.clone())
            .to(Mailbox::new(self.recipient_name.clone(), address))
            .subject(&self.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(self.body.clone())
            .map_err(|error| error.to_string())
    }
}

impl Outbox for Mails {
    const QUEUE: Queue = queue_in!("participant_notifications.mails");
    type Item = QueuedMail;

    async fn deliver(&self, item: &QueuedMail) -> Verdict {
        let message = match item.message(&self.0.from) {
            Ok(message) => message,
            Err(reason) => return Verdict::Refused(reason),
        };
        match self.0.transport.send(message).await {
            Ok(_) => Verdict::Delivered,
            Err(error) if error.is_permanent() => Verdict::Refused(error.to_string()),
            Err(error) => Verdict::Again { reason: error.to_string(), after: None },
        }
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
