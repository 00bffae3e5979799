//! Mail is kept in the mailbox, and sent if a mail server is configured.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use participants::{MailServer, Options};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::world::{World, options, until};

/// A mail server with a minimal SMTP, which answers recipients as scripted, and then accepts them.
struct SmtpServer {
    url: String,
    mails: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

type Answers = Arc<Mutex<VecDeque<&'static str>>>;

impl SmtpServer {
    async fn answering(recipients: impl IntoIterator<Item = &'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let mails: Arc<Mutex<Vec<String>>> = Arc::default();
        let answers: Answers = Arc::new(Mutex::new(recipients.into_iter().collect()));
        let task = tokio::spawn({
            let mails = mails.clone();
            async move {
                while let Ok((connection, _)) = listener.accept().await {
                    tokio::spawn(converse(connection, answers.clone(), mails.clone()));
                }
            }
        });
        Self { url, mails, task }
    }

    fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }

    fn options(&self) -> Options {
        let mail_server = MailServer::new(&self.url, "Tenuto <orders@tenuto.example>").unwrap();
        Options { mail_server: Some(mail_server), ..options() }
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(connection: TcpStream, recipients: Answers, mails: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut connection = BufReader::new(connection);
    connection.write_all(b"220 here\r\n").await.ok()?;
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let answer = match line.split_whitespace().next()?.to_ascii_uppercase().as_str() {
            "RCPT" => recipients.lock().unwrap().pop_front().unwrap_or("250 ok"),
            "DATA" => {
                connection.write_all(b"354 go on\r\n").await.ok()?;
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    connection.read_line(&mut mail).await.ok()?;
                }
                mails.lock().unwrap().push(mail);
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        connection.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
}

async fn mailbox(world: &World, order_id: &str) -> Value {
    world.get(&format!("/notifications/mailbox?orderId={order_id}")).await.body
}

fn letter(template: &str) -> Value {
    json!({ "template": template, "to": "ana@b.example", "name": "Ana Müller", "tracking": "TN1" })
}

#[tokio::test]
async fn without_a_mail_server_mail_stays_in_the_mailbox_newest_first() {
    let world = World::start().await;
    let _deliveries = world.deliver();
    for (order_id, template) in [("1", "order-placed"), ("2", "order-placed"), ("1", "order-shipped")] {
        let sent = world.ask("notifications.send", order_id, letter(template)).key(&format!("{order_id}{template}"));
        assert_eq!(sent.outcome().await, "sent");
    }
    let mailbox = mailbox(&world, "1").await;
    assert_eq!(mailbox["total"], 2);
    let templates: Vec<&Value> = mailbox["mails"].as_array().unwrap().iter().map(|mail| &mail["template"]).collect();
    assert_eq!(templates, ["order-shipped", "order-placed"]);
    let mail = &mailbox["mails"][0];
    assert_eq!((&mail["to"], &mail["settlement"]), (&json!("ana@b.example"), &json!("mailbox")));
    assert!(mail["body"].as_str().unwrap().contains("TN1"));
    let limited = world.get("/notifications/mailbox?limit=1").await.body;
    assert_eq!((&limited["total"], limited["mails"].as_array().unwrap().len()), (&json!(3), 1));
}

#[tokio::test]
async fn mail_is_retried_until_the_mail_server_accepts_it_once() {
    let server = SmtpServer::answering(["451 later", "421 busy"]).await;
    let world = World::with(server.options()).await;
    let _deliveries = world.deliver();
    let send = world.ask("notifications.send", "1", letter("order-shipped"));
    let first = send.send().await;
    assert_eq!(send.send().await, first);
    until("the mail to be delivered", async || mailbox(&world, "1").await["mails"][0]["settlement"] == "delivered")
        .await;
    assert_eq!(mailbox(&world, "1").await["mails"][0]["attempts"], 3);
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    let id = first.body["data"]["messageId"].as_str().unwrap();
    for part in
        [&format!("Message-ID: <{id}@tenuto.example>"), "From: Tenuto <orders@tenuto.example>", "ana@b.example", "TN1"]
    {
        assert!(mails[0].contains(part), "{part} is not in {}", mails[0]);
    }
}

#[tokio::test]
async fn a_recipient_the_mail_server_refuses_is_recorded_as_refused() {
    let server = SmtpServer::answering(["550 no such user"]).await;
    let world = World::with(server.options()).await;
    let _deliveries = world.deliver();
    assert_eq!(world.ask("notifications.send", "1", letter("order-canceled")).outcome().await, "sent");
    until("the mail to be refused", async || mailbox(&world, "1").await["mails"][0]["settlement"] == "refused").await;
    let mail = &mailbox(&world, "1").await["mails"][0];
    assert!(mail["lastError"].as_str().unwrap().contains("no such user"), "{mail}");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn mail_written_without_a_worker_is_sent_when_one_runs() {
    let server = SmtpServer::answering([]).await;
    let world = World::with(server.options()).await;
    for template in ["order-placed", "order-backordered"] {
        assert_eq!(world.ask("notifications.send", "1", letter(template)).key(template).outcome().await, "sent");
    }
    let _deliveries = world.deliver();
    until("both mails", async || server.mails().len() == 2).await;
    assert!(server.mails()[0].contains("was placed"), "the older mail goes first");
}
