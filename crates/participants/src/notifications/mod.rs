//! Notifications: mail to customers, kept in a mailbox, and sent from there if a mail server is
//! configured.

mod erasure;
mod mail_server;
mod mailbox;
mod postman;
mod routes;
mod templates;

use http_problem::Problem;
use leader_consumer::{CheckpointRow, checkpoint_in};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::contract::{Answer, Request, check_name, check_text};
use crate::options::Wake;
use crate::participant::{Context, Participant};
use crate::record::{Record, record_in};

pub use mail_server::{InvalidMailServer, MailServer};

pub(crate) use erasure::run_erasures;
pub(crate) use postman::Mails;
pub(crate) use routes::routes;

use templates::Letter;

/// The limit for the name of a recipient, in characters.
const NAME_LENGTH_MAX: usize = 200;

pub(crate) struct Notifications {
    /// Whether a mail server sends the mails.
    sends: bool,
    wake: Wake,
}

impl Notifications {
    pub(crate) const ACTIONS: &[&str] = &["send"];
}

impl Participant for Notifications {
    const NAME: &'static str = "notifications";
    const RECORD: Record = record_in!("participant_notifications");
    const CHECKPOINT: CheckpointRow = checkpoint_in!("participant_notifications.request_checkpoints", "requests");
    const LOCK: i64 = 0x7465_6e75_746f_0013;
    type Action = Letter;

    fn new(context: &Context) -> Self {
        let options = &context.options;
        Self { sends: options.mail_server.is_some(), wake: options.wake.clone() }
    }

    fn understand(request: &Request) -> Result<Letter, Problem> {
        if request.action != "send" {
            return Err(request.unknown_action());
        }
        let mut letter: Letter = request.input()?;
        letter.name = letter.name.filter(|name| !name.is_empty());
        check_name("/input/template", &letter.template)?;
        if let Some(name) = &letter.name {
            check_text("/input/name", name, NAME_LENGTH_MAX)?;
        }
        Ok(letter)
    }

    async fn perform(&self, tx: &mut PgConnection, request: &Request, letter: Letter) -> Result<Answer, sqlx::Error> {
        let message_id = Uuid::now_v7();
        let text = templates::write(&letter, &request.order_id);
        sqlx::query(
            "INSERT INTO participant_notifications.mails
                 (message_id, order_id, template, recipient, recipient_name, subject, body, settled_at, settlement)
             VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN NOT $8 THEN now() END, CASE WHEN NOT $8 THEN 'mailbox' END)",
        )
        .bind(message_id)
        .bind(&request.order_id)
        .bind(&letter.template)
        .bind(letter.to.to_string())
        .bind(&letter.name)
        .bind(text.subject)
        .bind(text.body)
        .bind(self.sends)
        .execute(tx)
        .await?;
        Ok(Answer::done("sent", json!({ "messageId": message_id })))
    }

    fn committed(&self) {
        if self.sends {
            self.wake.mails.ring();
        }
    }
}
