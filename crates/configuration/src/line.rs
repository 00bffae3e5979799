//! The command line of a process, and all that counts with it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use secrets::{Refused, SecretOptions, Sources};

use crate::{Configuration, ConfigurationError, take_from};

/// The command line of a process. A reload reads it again, with the files of that moment.
#[derive(Debug, Clone)]
pub struct CommandLine {
    root: Command,
    /// The configuration file that it names.
    named: Option<PathBuf>,
    arguments: Vec<OsString>,
}

/// Why a command line cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is no command line of this program; or the help is requested.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// A secret cannot be had, or must not stand there.
    #[error(transparent)]
    Secret(#[from] Refused),
    /// It does not go together with the configuration file.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
}

impl CommandLine {
    /// These arguments, of the program that `root` describes.
    pub fn of(root: Command, arguments: impl IntoIterator<Item = OsString>) -> Self {
        let (named, arguments) = take_from(arguments);
        Self { root, named, arguments }
    }

    /// The command of the whole program.
    pub fn root(&self) -> &Command {
        &self.root
    }

    /// The configuration file that counts, if there is one.
    pub fn find(&self) -> Result<Option<Configuration>, ConfigurationError> {
        Configuration::find(self.named.clone(), &self.root)
    }

    /// The values that count: from the command line, the environment, files with secrets, and the
    /// configuration file, in this order.
    pub fn read(&self, configuration: Option<&Configuration>) -> Result<ArgMatches, LineError> {
        let root = self.root.clone();
        let filled = configuration.map_or_else(|| root.clone(), |configuration| configuration.fill_in(root.clone()));
        let mut secrets = SecretOptions::default();
        let mut filled = secrets.fill_in(filled, &Sources::of_environment());
        let matches = filled.try_get_matches_from_mut(&self.arguments)?;
        refuse_misplaced(&mut filled, &matches)?;
        secrets.check(&filled, &matches)?;
        if let Some(configuration) = configuration {
            configuration.check_together(&self.root, &matches)?;
        }
        Ok(matches)
    }
}

/// An option stands after the command that it belongs to. Those of all commands, such as `--log`,
/// may stand anywhere. An option of the program without a command means nothing before a command.
fn refuse_misplaced(command: &mut Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some((name, of_subcommand)) = matches.subcommand() else { return Ok(()) };
    let is_given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let misplaced =
        command.get_arguments().find(|option| !option.is_global_set() && is_given(option.get_id().as_str()));
    if let Some(option) = misplaced {
        let option = option.get_long().unwrap_or_default();
        let text = format!("--{option} stands before the command {name}; give the options of {name} after it");
        return Err(command.error(ErrorKind::ArgumentConflict, text));
    }
    command.find_subcommand_mut(name).map_or(Ok(()), |command| refuse_misplaced(command, of_subcommand))
}
