//! The command line. Every option can also be given in the environment.

use clap::{Parser, Subcommand};

use crate::roles::dev::DevArgs;

/// An order orchestrator: drives every order to an end that everybody can explain.
///
/// Without a command it runs everything in one process, on embedded defaults, as `tenuto dev` does.
#[derive(Debug, Parser)]
#[command(name = "tenuto", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub dev: DevArgs,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::enum_variant_names, reason = "a command handler is called so")]
pub(crate) enum Command {
    /// Everything in one process: embedded log and database, reference services, one port
    Dev(DevArgs),
    /// The command endpoint, and the orchestrator that drives orders
    CommandHandler(crate::roles::command_handler::CommandHandlerArgs),
    /// Projects the log into the views; or tells what it has set aside, and tries that again
    Projector(crate::roles::projector::ProjectorArgs),
    /// Make views anew from the log, beside the live ones, and put them in their place; or check the live ones
    Rebuild(maintenance::rebuild::RebuildArgs),
    /// GraphQL over the views
    QueryApi(crate::roles::query_api::QueryApiArgs),
    /// The reference services: orders, payments, shipping, notifications
    Participants(crate::roles::participants::ParticipantsArgs),
    /// The embedded `EventStoreDB` node alone; or check its log, or back it up
    EventStore(crate::roles::event_store::EventStoreArgs),
    /// Place orders from a file
    Place(cli::place::PlaceArgs),
    /// Show an order and its timeline
    Show(cli::show::ShowArgs),
    /// Watch an order as it happens
    Watch(cli::watch::WatchArgs),
    /// Step through an order's life: what happened, what it left, what was pending, and why; and decide all of it again
    Replay(lab::replay::ReplayArgs),
    /// Try another definition on the orders of the past: which would have gone otherwise, and where
    Backtest(lab::backtest::BacktestArgs),
    /// Cancel orders: what was done is undone
    Cancel(cli::operate::OperateArgs),
    /// Hold orders: nothing new begins, answers are recorded
    Pause(cli::operate::OperateArgs),
    /// Let orders that are held go on
    Resume(cli::operate::OperateArgs),
    /// Try again now what waits for its next attempt, or is stuck
    Retry(cli::operate::RetryArgs),
    /// Assume the answer of a step
    Skip(cli::operate::SkipArgs),
    /// Erase a customer's personal data, in the log as well
    Forget(cli::forget::ForgetArgs),
    /// Remove what belongs to a data folder, wherever it is: the log, the database, and the keys of personal data
    Reset(maintenance::reset::ResetArgs),
    /// Copy the keys of personal data to an encrypted file, or bring them back from one
    Keys(maintenance::keys::KeysArgs),
    /// Check that nobody changed what was recorded, and prove it to others
    Audit(audit::AuditArgs),
    /// Check workflow files, draw them, or print the schema of the format
    Workflow(lab::workflow::WorkflowArgs),
}

impl Command {
    pub fn is_dev(&self) -> bool {
        matches!(self, Command::Dev(_))
    }

    /// Whether it serves others, and not a person alone.
    pub fn is_role(&self) -> bool {
        match self {
            Self::Dev(_)
            | Self::CommandHandler(_)
            | Self::Projector(_)
            | Self::QueryApi(_)
            | Self::Participants(_)
            | Self::EventStore(_) => true,
            Self::Rebuild(_)
            | Self::Place(_)
            | Self::Show(_)
            | Self::Watch(_)
            | Self::Replay(_)
            | Self::Backtest(_)
            | Self::Cancel(_)
            | Self::Pause(_)
            | Self::Resume(_)
            | Self::Retry(_)
            | Self::Skip(_)
            | Self::Forget(_)
            | Self::Reset(_)
            | Self::Keys(_)
            | Self::Audit(_)
            | Self::Workflow(_) => false,
        }
    }
}
