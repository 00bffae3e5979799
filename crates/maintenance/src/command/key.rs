//! `tenuto key`: creates, lists and revokes the API keys of callers.

use std::process::ExitCode;
use std::time::Duration;

use access::Role;
use access::api_key::ApiKey;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use command_line::duration;
use command_line::output::{self, printable};
use sqlx::PgPool;
use views::api_keys::{self, ApiKeyRow, NewApiKey};

use super::database::Database;
use crate::MaintenanceError;

/// The exit code for "there is no such key in use".
const NO_SUCH_KEY: u8 = 1;
/// The longest name of a principal, in characters.
const MAX_NAME: usize = 64;

/// Options of `tenuto key`.
#[derive(Debug, Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Create an API key, and print it: it is shown this once, and only a hash of it is kept
    Create(CreateArgs),
    /// List the API keys, with their roles and their last use
    List(Database),
    /// Revoke an API key: every instance refuses it within ten seconds
    #[command(after_help = "Exit code: 0 if the key is revoked; 1 if no such key is in use.")]
    Revoke {
        /// The id, as `tenuto key list` prints it
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        database: Database,
    },
    /// Print a new key for the file that `admin-key-file` names; nothing is stored
    Generate,
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// What the key may do: shop, participant:NAME, viewer, operator, auditor, author or admin; may
    /// be given more than once
    #[arg(long = "role", required = true, value_name = "ROLE")]
    roles: Vec<Role>,
    /// The principal: the actor in events, and the owner of orders. A key that replaces another has
    /// its name
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: String,
    /// How long the key is accepted: 12h or 90d, for example [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    expires: Option<Duration>,
    /// Requests with the key may name a person as their actor: both are recorded
    #[arg(long)]
    on_behalf_of: bool,
    #[command(flatten)]
    database: Database,
}

/// Does what is asked with API keys. Exit code 1: there is no such key in use.
pub async fn run(args: KeyArgs) -> Result<ExitCode, MaintenanceError> {
    match args.command {
        KeyCommand::Create(args) => create(args).await,
        KeyCommand::List(database) => list(&database.connect().await?).await,
        KeyCommand::Revoke { id, database } => revoke(&database.connect().await?, &id).await,
        KeyCommand::Generate => {
            output::print(&format!("{}\n", generated()?.reveal()))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn create(args: CreateArgs) -> Result<ExitCode, MaintenanceError> {
    let pool = args.database.connect().await?;
    let (key, mut roles) = (generated()?, args.roles);
    roles.sort();
    roles.dedup();
    let hash = key.hash();
    let new = NewApiKey {
        id: key.id(),
        name: &args.name,
        roles: roles.iter().map(Role::to_string).collect(),
        on_behalf_of: args.on_behalf_of,
        secret_hash: hash.as_bytes(),
        expires_at: args.expires.map(|after| Utc::now() + after),
    };
    api_keys::add(&pool, &new).await?;
    let (expires, roles) = (new.expires_at.map(|at| at.to_rfc3339()), new.roles.join(" "));
    tracing::info!(key = key.id(), principal = args.name, roles, expires, "an API key was created");
    // On standard output there is nothing but the key, so that it can go into a file.
    output::complain(&format!("the key {} of {}; it is shown this once:", key.id(), printable(&args.name)));
    output::print(&format!("{}\n", key.reveal()))?;
    Ok(ExitCode::SUCCESS)
}

async fn list(pool: &PgPool) -> Result<ExitCode, MaintenanceError> {
    let keys = api_keys::all(pool).await?;
    if keys.is_empty() {
        output::print("there is no API key; tenuto key create makes one\n")?;
    }
    let now = Utc::now();
    for key in keys {
        output::print(&format!("{}\n", printable(&in_words(&key, now))))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn in_words(key: &ApiKeyRow, now: DateTime<Utc>) -> String {
    let day = |at: DateTime<Utc>| at.format("%F %H:%M UTC").to_string();
    let state = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", day(at)),
        (None, Some(at)) if at <= now => format!("expired {}", day(at)),
        (None, Some(at)) => format!("expires {}", day(at)),
        (None, None) => "in use".to_owned(),
    };
    let used = key.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("last used {}", day(at)));
    let acts = if key.on_behalf_of { ", names persons" } else { "" };
    format!("{}  {}  {}{acts}; {state}; {used}", key.id, key.name, key.roles.join(", "))
}

async fn revoke(pool: &PgPool, id: &str) -> Result<ExitCode, MaintenanceError> {
    if api_keys::revoke(pool, id).await? {
        tracing::info!(key = id, "an API key was revoked");
        output::announce(&format!("the key {id} is revoked; within ten seconds no instance accepts it\n"));
        return Ok(ExitCode::SUCCESS);
    }
    output::complain(&format!("there is no key {id:?} in use; tenuto key list shows all"));
    Ok(ExitCode::from(NO_SUCH_KEY))
}

fn generated() -> Result<ApiKey, MaintenanceError> {
    ApiKey::generate().ok_or(MaintenanceError::NoRandomness)
}

/// A subject of an issuer is `subject@issuer`, so no key is called so.
fn parse_name(text: &str) -> Result<String, String> {
    let fits = (1..=MAX_NAME).contains(&text.chars().count())
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' '))
        && text.trim() == text;
    fits.then(|| text.to_owned())
        .ok_or_else(|| format!("a name has 1 to {MAX_NAME} letters, digits, '-', '_', '.' and spaces within"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_principals_and_never_that_of_an_issuers_subject() {
        for text in ["web", "shop 2", "ci.build_7", "Käufe"] {
            assert_eq!(parse_name(text).as_deref(), Ok(text));
        }
        for text in ["", " web", "ann@company", "a\nb", "a, by b", &"x".repeat(65)] {
            assert!(parse_name(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_key_is_listed_with_what_it_may_do_and_whether_it_is_accepted() {
        let at = |text: &str| text.parse().unwrap();
        let key = ApiKeyRow {
            id: "abc".to_owned(),
            name: "ci".to_owned(),
            roles: vec!["operator".to_owned(), "viewer".to_owned()],
            on_behalf_of: true,
            secret_hash: Vec::new(),
            created_at: at("2026-01-01T00:00:00Z"),
            expires_at: Some(at("2026-02-01T00:00:00Z")),
            revoked_at: None,
            last_used_at: None,
        };
        let listed = |key: &ApiKeyRow, now: &str| in_words(key, at(now));
        assert_eq!(
            listed(&key, "2026-01-02T00:00:00Z"),
            "abc  ci  operator, viewer, names persons; expires 2026-02-01 00:00 UTC; never used"
        );
        assert!(listed(&key, "2026-02-01T00:00:00Z").contains("expired 2026-02-01"));
        let revoked = ApiKeyRow { revoked_at: Some(at("2026-01-03T00:00:00Z")), ..key };
        assert!(listed(&revoked, "2026-02-01T00:00:00Z").contains("revoked 2026-01-03"));
    }
}
