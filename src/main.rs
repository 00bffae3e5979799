//! The one binary, `tenuto`: everything in one process, one role of many, or a command to a running
//! system.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the reader has closed the pipe; use `command_line::output`"
)]

mod args;
mod backends;
mod renamed;
mod roles;
mod workflows;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::args::{Cli, Command};
use cli::operate::OperatorAction;
use command_line::logging::Logs;
use command_line::open_files;
use configuration::{CommandLine, Configuration, ConfigurationError, LineError};
use error_causes::causes;
use signals::reload::Reload;

/// Orders are many small pieces that come and go: that is what this allocator is for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The configuration file, if there is one.
type Found = Result<Option<Configuration>, ConfigurationError>;

fn main() -> ExitCode {
    let root = renamed::with_earlier_variables(Cli::command(), &|name| std::env::var_os(name).is_some());
    let line = CommandLine::of(root, std::env::args_os());
    let found = line.find();
    let matches = match line.read(found.as_ref().ok().and_then(Option::as_ref)) {
        Ok(matches) => matches,
        Err(LineError::Usage(error)) => error.exit(),
        Err(error) => return failed(&error),
    };
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let command = cli.command.unwrap_or(Command::Dev(cli.dev));
    let found = match found {
        // `config` tells the faults itself.
        Err(error) if !matches!(command, Command::Config(_)) => return failed(&error),
        found => found,
    };
    let logs = Logs::start(&cli.logs, command.levels());
    if let Err(error) = servers::take_master_key() {
        return failed(&error);
    }
    open_files::keep_private();
    open_files::allow_many();
    if command.is_role()
        && let Err(error) = open_files::suffice()
    {
        return failed(&error);
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let is_check = matches!(command, Command::Doctor(_));
    let reload = Reload::new(line.clone(), matches, found.as_ref().ok().and_then(Option::as_ref), move |levels| {
        logs.set(levels);
    });
    let code =
        runtime.block_on(run(command, line.root(), found, reload)).unwrap_or_else(|error| failed(error.as_ref()));
    if is_check {
        // A name service or a disk that does not answer does not delay the end.
        runtime.shutdown_background();
    }
    code
}

async fn run(
    command: Command,
    root: &clap::Command,
    found: Found,
    reload: Reload,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let done = ExitCode::SUCCESS;
    match command {
        Command::Dev(args) => Box::pin(roles::dev::run(args, reload)).await.map(|()| done),
        Command::CommandHandler(args) => Box::pin(roles::command_handler::run(args, reload)).await.map(|()| done),
        Command::Projector(args) => Box::pin(roles::projector::run(args, reload)).await,
        Command::Rebuild(args) => {
            Ok(Box::pin(maintenance::command::rebuild::run(args, &signals::stop::token()?)).await?)
        }
        Command::QueryApi(args) => roles::query_api::run(args, reload).await.map(|()| done),
        Command::Participants(args) => Box::pin(roles::participants::run(args, reload)).await.map(|()| done),
        Command::EventStore(args) => roles::event_store::run(args, reload).await,
        Command::Place(args) => Ok(cli::place::run(args).await?),
        Command::Show(args) => Ok(cli::show::run(args).await?),
        Command::Watch(args) => Ok(cli::watch::run(args).await?),
        Command::Ready(args) => Ok(cli::ready::run(args).await?),
        Command::Lists(list) => Ok(cli::lists::run(list).await?),
        Command::Trace(args) => Ok(traces::command::run(args).await?),
        Command::Replay(args) => Ok(lab::command::replay::run(args).await?),
        Command::Backtest(args) => Ok(lab::command::backtest::run(args).await?),
        Command::Cancel(args) => Ok(cli::operate::run(OperatorAction::Cancel, args).await?),
        Command::Note(args) => Ok(cli::operate::run(OperatorAction::Note, args).await?),
        Command::Pause(args) => Ok(cli::operate::run(OperatorAction::Pause, args).await?),
        Command::Resume(args) => Ok(cli::operate::run(OperatorAction::Resume, args).await?),
        Command::Retry(args) => Ok(cli::operate::retry(args).await?),
        Command::Skip(args) => Ok(cli::operate::skip(args).await?),
        Command::Answer(args) => Ok(cli::answer::run(args).await?),
        Command::Settle(command) => Ok(cli::settle::run(command).await?),
        Command::Forget(args) => Ok(cli::forget::run(args).await?),
        Command::Reset(args) => Ok(maintenance::command::reset::run(args).await?),
        Command::Key(args) => Ok(maintenance::command::key::run(args).await?),
        Command::Keys(args) => Ok(maintenance::command::keys::run(args).await?),
        Command::Audit(args) => Ok(Box::pin(audit::run(args)).await?),
        Command::Config(args) => Ok(configuration::command::run(args, root, found)?),
        Command::Doctor(args) => {
            let open_files = open_files::suffice().map_err(|error| error.to_string());
            let known = doctor::Surroundings {
                open_files,
                workflows: |folder| Ok(workflows::all(folder)?),
                shipped_from: workflows::SHIPPED_FROM,
            };
            Ok(doctor::run(args, root, found?.as_ref(), &known).await?)
        }
        Command::Workflow(args) => Ok(lab::command::workflow::run(args)?),
        Command::Webhook(args) => Ok(cli::webhook::run(args).await?),
        Command::Completions(args) => Ok(command_line::reference::completions(&args, Cli::command())?),
        Command::Man(args) => Ok(command_line::reference::man(&args, Cli::command())?),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    command_line::output::complain(&format!("tenuto: {error}"));
    for cause in causes(error) {
        command_line::output::complain(&format!("  because: {cause}"));
    }
    ExitCode::from(2)
}
