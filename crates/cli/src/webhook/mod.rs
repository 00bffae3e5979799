//! `tenuto webhook`: has systems of the shop notified of what happens to orders.

mod printed;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::client::{Client, Managed, ServerArgs};
use crate::{CommandError, NOT_AS_ASKED};
use command_line::output;

/// The help after the options.
const AFTER_HELP: &str = "\
Exit code: 0 when it is done; 1 when it was refused, or when a test message was not delivered; 2 when the server cannot be reached \
or the command is wrong.";

/// Options of `tenuto webhook`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct WebhookArgs {
    #[command(subcommand)]
    command: WebhookCommand,
    #[command(flatten)]
    server: ServerArgs,
    /// Print the server's answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum WebhookCommand {
    /// Have an endpoint notified from now on. Prints the secret that signs notifications, once
    Add(SettingsArgs),
    /// List the webhooks
    List,
    /// Show a webhook
    Show {
        /// Its id
        id: String,
    },
    /// Replace the settings of a webhook. What is not given gets its default
    Change {
        /// Its id
        id: String,
        #[command(flatten)]
        settings: SettingsArgs,
        /// Send nothing, until it is changed again without this option
        #[arg(long)]
        disable: bool,
    },
    /// Send a message that only tries the endpoint
    Test {
        /// The id of the webhook
        id: String,
    },
    /// Replace the secret. Prints the new one, once
    Rotate {
        /// The id of the webhook
        id: String,
        /// How long the earlier secret signs as well, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
        earlier_for_seconds: u32,
    },
    /// Delete a webhook
    Remove {
        /// Its id
        id: String,
    },
    /// List notifications that were given up
    Dead {
        /// The id of the webhook
        id: String,
        /// How many to list, at most 500
        #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
        first: u16,
        /// Those after this place, which the list before names
        #[arg(long, value_name = "PLACE")]
        after: Option<String>,
    },
    /// Send notifications again that were given up
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
struct SettingsArgs {
    /// The URL of the endpoint
    url: String,
    /// The event types that it is notified of, like order.ended [default: all]
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',')]
    events: Vec<String>,
    /// Only orders of this workflow
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Only orders that this principal placed
    #[arg(long, value_name = "NAME")]
    placed_by: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
struct ReplayArgs {
    /// The id of the webhook
    id: String,
    /// Those of this order
    #[arg(long, value_name = "ID", group = "which", conflicts_with_all = ["from", "to", "all"])]
    order: Option<String>,
    /// Those that were given up at this time or later, like 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", group = "which")]
    from: Option<String>,
    /// Those that were given up before this time
    #[arg(long, value_name = "TIME", group = "which")]
    to: Option<String>,
    /// All
    #[arg(long, group = "which", conflicts_with_all = ["from", "to"])]
    all: bool,
}

/// Runs the command.
pub async fn run(args: WebhookArgs) -> Result<ExitCode, CommandError> {
    output::forgive_closed_pipe(manage(args).await)
}

async fn manage(WebhookArgs { command, server, json }: WebhookArgs) -> Result<ExitCode, CommandError> {
    let client = server.client()?;
    let managed = request(&client, &command).await?;
    let answer = match managed {
        Managed::Done(answer) => answer,
        Managed::Refused(problem) => {
            output::complain(&format!("refused: {}", problem.in_words()));
            return Ok(ExitCode::from(NOT_AS_ASKED));
        }
    };
    if json {
        output::print_json(&format!("{answer:#}\n"))?;
    } else {
        output::print(&output::printable_lines(&told(&command, &answer)))?;
    }
    let is_undelivered = matches!(command, WebhookCommand::Test { .. }) && answer["delivered"] != true;
    Ok(if is_undelivered { ExitCode::from(NOT_AS_ASKED) } else { ExitCode::SUCCESS })
}

async fn request(client: &Client, command: &WebhookCommand) -> Result<Managed, CommandError> {
    match command {
        WebhookCommand::Add(settings) => client.webhooks(Method::POST, &[], Some(&settings.body())).await,
        WebhookCommand::List => client.webhooks(Method::GET, &[], None).await,
        WebhookCommand::Show { id } => client.webhooks(Method::GET, &[id], None).await,
        WebhookCommand::Change { id, settings, disable } => {
            let mut body = settings.body();
            body["enabled"] = json!(!disable);
            client.webhooks(Method::PUT, &[id], Some(&body)).await
        }
        WebhookCommand::Test { id } => client.webhooks(Method::POST, &[id, "test"], None).await,
        WebhookCommand::Rotate { id, earlier_for_seconds } => {
            let body = json!({ "earlierForSeconds": earlier_for_seconds });
            client.webhooks(Method::POST, &[id, "rotate"], Some(&body)).await
        }
        WebhookCommand::Remove { id } => client.webhooks(Method::DELETE, &[id], None).await,
        WebhookCommand::Dead { id, first, after } => client.dead_letters(id, *first, after.as_deref()).await,
        WebhookCommand::Replay(replay) => {
            client.webhooks(Method::POST, &[&replay.id, "replay"], Some(&replay.body())).await
        }
    }
}

fn told(command: &WebhookCommand, answer: &Value) -> String {
    match command {
        WebhookCommand::Add(_) => printed::added(answer),
        WebhookCommand::List => printed::list(answer),
        WebhookCommand::Show { .. } | WebhookCommand::Change { .. } => printed::webhook(answer),
        WebhookCommand::Test { .. } => printed::tested(answer),
        WebhookCommand::Rotate { .. } => printed::rotated(answer),
        WebhookCommand::Remove { id } => format!("webhook {id} is deleted\n"),
        WebhookCommand::Dead { .. } => printed::dead(answer),
        WebhookCommand::Replay(_) => printed::replayed(answer),
    }
}

/// An object with those of the fields that are given.
fn given<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(fields.collect::<Map<_, _>>())
}

impl SettingsArgs {
    fn body(&self) -> Value {
        given([
            ("url", Some(json!(self.url))),
            ("events", (!self.events.is_empty()).then(|| json!(self.events))),
            ("workflow", self.workflow.as_ref().map(|name| json!(name))),
            ("placedBy", self.placed_by.as_ref().map(|name| json!(name))),
            ("description", self.description.as_ref().map(|text| json!(text))),
        ])
    }
}

impl ReplayArgs {
    fn body(&self) -> Value {
        given([
            ("orderId", self.order.as_ref().map(|id| json!(id))),
            ("from", self.from.as_ref().map(|time| json!(time))),
            ("to", self.to.as_ref().map(|time| json!(time))),
            ("all", self.all.then_some(Value::Bool(true))),
        ])
    }
}
