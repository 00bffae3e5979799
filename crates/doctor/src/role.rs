//! What a role would start with.

use std::net::SocketAddr;
use std::path::PathBuf;

use access::Exposure;
use authentication::AuthenticationArgs;
use clap::{ArgMatches, Command, Error, FromArgMatches};
use command_line::data_folder::DataFolder;
use configuration::command::ROLES;
use http_client::{ParticipantFiles, Rule};
use servers::{NodeUsers, ServerUrls};
use tls::ListenerFiles;

/// The role that has its own log and database where none is named.
pub const DEV: &str = "dev";

/// The names of the roles that can be checked.
pub fn names() -> Vec<&'static str> {
    ROLES.into_iter().chain([DEV]).collect()
}

/// A role with its settings. A setting that the role does not have is `None`, or empty.
#[derive(Debug)]
pub struct Role {
    pub name: String,
    pub servers: Option<ServerUrls>,
    /// Whether it reads or writes the log.
    pub uses_log: bool,
    pub address: Option<SocketAddr>,
    pub exposure: Exposure,
    pub tls: ListenerFiles,
    pub authentication: AuthenticationArgs,
    pub calls: Option<Calls>,
    pub data: Option<DataFolder>,
    pub users: NodeUsers,
    /// The role that answers what this one does not: the option that names its URL, and the URL.
    pub remainder_at: Option<(&'static str, String)>,
}

/// How a role calls participants.
#[derive(Debug)]
pub struct Calls {
    pub workflows: Option<PathBuf>,
    pub hosts: Vec<Rule>,
    pub files: ParticipantFiles,
}

impl Role {
    /// Of the settings that count for its command.
    pub fn new(name: &str, command: &Command, matches: &ArgMatches) -> Result<Self, Error> {
        let of = Settings { command, matches };
        let calls = if of.has("workflows") {
            let (workflows, hosts) = (of.one("workflows"), of.many("participant_hosts"));
            Some(Calls { workflows, hosts, files: of.group("participants_ca_file")?.unwrap_or_default() })
        } else {
            None
        };
        let others = [("command_url", "--command-url"), ("query_url", "--query-url")];
        let remainder_at = others.into_iter().find_map(|(id, option)| Some((option, of.one::<String>(id)?)));
        let uses_log = !of.has("by_events") || of.one("by_events").unwrap_or(false);
        Ok(Self {
            name: name.to_owned(),
            servers: of.group("postgres")?,
            uses_log,
            address: of.one("listen"),
            exposure: of.group("insecure_open")?.unwrap_or_default(),
            tls: of.group("tls_certificate")?.unwrap_or_default(),
            authentication: of.group("access")?.unwrap_or_default(),
            calls,
            data: of.group("data")?,
            users: of.group("admin_password_file")?.unwrap_or_default(),
            remainder_at,
        })
    }

    /// Whether it starts its own log and database where none is named.
    pub fn embeds(&self) -> bool {
        self.name == DEV
    }

    /// Whether it is the embedded node.
    pub fn is_node(&self) -> bool {
        self.name == "event-store"
    }
}

/// The values of a command's options.
struct Settings<'a> {
    command: &'a Command,
    matches: &'a ArgMatches,
}

impl Settings<'_> {
    /// Whether the command has an option with this id. The library panics for one that it lacks.
    fn has(&self, id: &str) -> bool {
        self.command.get_arguments().any(|option| option.get_id() == id)
    }

    /// The options that are declared together with the one of this id.
    fn group<T: FromArgMatches>(&self, id: &str) -> Result<Option<T>, Error> {
        if self.has(id) { T::from_arg_matches(self.matches).map(Some) } else { Ok(None) }
    }

    fn one<T: Clone + Send + Sync + 'static>(&self, id: &str) -> Option<T> {
        if self.has(id) { self.matches.get_one(id).cloned() } else { None }
    }

    fn many<T: Clone + Send + Sync + 'static>(&self, id: &str) -> Vec<T> {
        let values = if self.has(id) { self.matches.get_many(id) } else { None };
        values.into_iter().flatten().cloned().collect()
    }
}
