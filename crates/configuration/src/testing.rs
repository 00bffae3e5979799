//! A program with some options of each kind.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

#[derive(Parser)]
#[command(name = "program", args_conflicts_with_subcommands = true)]
pub struct Line {
    #[arg(long, global = true, env = "CONFIGURATION_TEST_CONFIG")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Option<Sub>,
    #[command(flatten)]
    pub dev: Server,
}

#[derive(Subcommand)]
pub enum Sub {
    /// Run everything
    Dev(Server),
    /// Serve
    Serve(Server),
    /// Look at the log
    Look(Look),
}

#[derive(Args)]
pub struct Server {
    /// The address
    #[arg(long, env = "CONFIGURATION_TEST_LISTEN", default_value = "127.0.0.1:7", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// How many
    #[arg(long, env = "CONFIGURATION_TEST_MAX", default_value_t = NonZeroU32::MIN)]
    pub max: NonZeroU32,
    /// Names of this server
    #[arg(long, env = "CONFIGURATION_TEST_HOSTS", value_delimiter = ',', value_name = "NAME,…")]
    pub hosts: Vec<String>,
    /// Whether everybody gets in
    #[arg(long, env = "CONFIGURATION_TEST_OPEN")]
    pub open: bool,
    /// The database
    #[arg(long, env = "CONFIGURATION_TEST_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    #[arg(long, env = "CONFIGURATION_TEST_CERTIFICATE", requires = "key")]
    pub certificate: Option<PathBuf>,
    #[arg(long, env = "CONFIGURATION_TEST_KEY", requires = "certificate")]
    pub key: Option<PathBuf>,
    /// No setting: it has no variable
    #[arg(long)]
    pub again: bool,
}

#[derive(Args)]
pub struct Look {
    /// Which one
    pub order: String,
    /// How it looks
    #[arg(long, env = "CONFIGURATION_TEST_FORM", default_value = "text")]
    pub form: Form,
    /// Another kind of value than that of a server
    #[arg(long, env = "CONFIGURATION_TEST_LOOK_MAX")]
    pub max: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    Text,
    Json,
}

pub fn root() -> clap::Command {
    Line::command()
}
