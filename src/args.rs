//! The command line. Every option can also be given in the environment.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use command_line::logging::LogOptions;

use crate::roles::dev::DevArgs;
use command_line::logging::Levels;

/// An order orchestrator: it drives every order to an end, and can show why the order ended so.
///
/// Without a command it runs everything in one process with embedded defaults, like `tenuto dev`.
#[derive(Debug, Parser)]
#[command(name = "tenuto", version)]
pub(crate) struct Cli {
    /// The configuration file [default: tenuto.toml, or else /etc/tenuto/tenuto.toml, if it exists]
    #[arg(long, global = true, env = "TENUTO_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    pub logs: LogOptions,
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub dev: DevArgs,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::enum_variant_names, reason = "a command handler is called so")]
pub(crate) enum Command {
    /// Run everything in one process: embedded log and database, reference services, one port
    Dev(DevArgs),
    /// Run the command endpoint, and the orchestrator that drives orders
    CommandHandler(crate::roles::command_handler::CommandHandlerArgs),
    /// Run the projector, which writes the views from the log; or list and retry events set aside
    Projector(crate::roles::projector::ProjectorArgs),
    /// Rebuild views from the log next to the live ones, and replace the live ones; or check the
    /// live ones
    Rebuild(maintenance::command::rebuild::RebuildArgs),
    /// Run the GraphQL API over the views
    QueryApi(crate::roles::query_api::QueryApiArgs),
    /// Run the reference services: orders, payments, shipping, notifications
    Participants(crate::roles::participants::ParticipantsArgs),
    /// Run only the embedded `EventStoreDB` node; or check its log, back it up, or copy it
    EventStore(crate::roles::event_store::EventStoreArgs),
    /// Place orders from a file
    Place(cli::place::PlaceArgs),
    /// Show an order and its timeline
    Show(cli::show::ShowArgs),
    /// Watch an order until it ends
    Watch(cli::watch::WatchArgs),
    /// Report whether a role on this machine is ready, for the health check of a container
    Ready(cli::ready::ReadyArgs),
    #[command(flatten)]
    Lists(cli::lists::ListCommand),
    /// Step through an order's life: what happened, the resulting state, what was pending, and why;
    /// and make each decision again
    Replay(lab::command::replay::ReplayArgs),
    /// Print the trace of an order as OpenTelemetry spans, or send it again
    Trace(traces::command::TraceArgs),
    /// Try another definition on past orders: which would have gone differently, and where
    Backtest(lab::command::backtest::BacktestArgs),
    /// Cancel orders, and undo their completed steps
    Cancel(cli::operate::OperateArgs),
    /// Leave a note on orders: --reason is its text
    Note(cli::operate::OperateArgs),
    /// Pause orders: no new step starts, and answers are recorded
    Pause(cli::operate::OperateArgs),
    /// Resume paused orders
    Resume(cli::operate::OperateArgs),
    /// Retry now: steps that wait for their next attempt, and steps of stuck orders
    Retry(cli::operate::RetryArgs),
    /// Skip a step, with an outcome to assume
    Skip(cli::operate::SkipArgs),
    /// Answer a step, as the person that it waits for
    Answer(cli::answer::AnswerArgs),
    #[command(flatten)]
    Settle(cli::settle::SettleCommand),
    /// Erase a customer's personal data, also in the log
    Forget(cli::forget::ForgetArgs),
    /// Remove the data of a data folder, also if it is stored elsewhere: the log, the database, and
    /// the keys of personal data
    Reset(maintenance::command::reset::ResetArgs),
    /// Create, list and revoke the API keys of callers
    Key(maintenance::command::key::KeyArgs),
    /// Export the keys of personal data to an encrypted file, import them, or wrap them by another
    /// master key; or rotate the secret of callbacks
    Keys(maintenance::command::keys::KeysArgs),
    /// Check that no recorded event was changed, and prove it to others
    Audit(audit::AuditArgs),
    /// Check a configuration file, and show which settings count
    Config(configuration::command::ConfigArgs),
    /// Check everything that the settings of a role name: log, Postgres, participants, issuers,
    /// certificates, addresses, folders
    Doctor(doctor::DoctorArgs),
    /// Check workflow files, draw them, or print the schema of the format
    Workflow(lab::command::workflow::WorkflowArgs),
    /// Have systems of the shop notified of what happens to orders, by signed requests
    Webhook(cli::webhook::WebhookArgs),
    /// Print the completions of a shell for this command line
    Completions(command_line::reference::CompletionsArgs),
    /// Write the manual pages of all commands into a folder, for packages
    Man(command_line::reference::ManArgs),
}

impl Command {
    /// What it logs by default.
    pub fn levels(&self) -> Levels {
        match self {
            Self::Dev(_) => Levels::Warn,
            Self::Doctor(_) => Levels::Off,
            _ => Levels::Info,
        }
    }

    /// Whether it is a role that serves clients, and not a command.
    pub fn is_role(&self) -> bool {
        use Command::{CommandHandler, Dev, EventStore, Participants, Projector, QueryApi};
        matches!(self, Dev(_) | CommandHandler(_) | Projector(_) | QueryApi(_) | Participants(_) | EventStore(_))
    }
}
