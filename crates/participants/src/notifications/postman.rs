//! Sends mail from the mailbox through the mail server.

use lettre::message::{Mailbox, Message, header::ContentType};
use lettre::{Address, AsyncTransport};
use uuid::Uuid;

use super::mail_server::MailServer;
use crate::outbox::{Outbox, Queue, Ticket, Verdict, queue_in};

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
