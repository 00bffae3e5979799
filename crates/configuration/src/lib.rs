//! A configuration file: TOML whose keys are the options of the command line.
//!
//! A key at the top counts for each command that has an option of that name; a key in the section
//! of a command counts for that command alone, and before the one at the top. What the file sets
//! are defaults: the environment and the command line count before it.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the reader has closed the pipe; use `command_line::output`"
)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod changes;
mod check;
pub mod command;
mod example;
mod file;
mod line;
mod place;
mod schema;
mod settings;
mod show;
#[cfg(test)]
mod testing;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command};

pub use changes::{Changed, changed};
pub use check::used;
use file::Written;
pub use line::{CommandLine, LineError};
use place::Fault;
use settings::{ROOT_SECTION, Setting};

/// Where the file is looked for if none is named.
pub const USUAL: [&str; 2] = ["tenuto.toml", "/etc/tenuto/tenuto.toml"];
/// The option and the variable that name it.
const OPTION: &str = "--config";
const VARIABLE: &str = "TENUTO_CONFIG";

/// A configuration file without faults.
#[derive(Debug)]
pub struct Configuration {
    path: PathBuf,
    written: Written,
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// It cannot be read.
    #[error("the configuration file {} cannot be read: {source}; {OPTION} or {VARIABLE} names another one", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It has faults.
    #[error("the configuration file cannot be used\n{}", lines(path, faults))]
    Faulty {
        /// The file.
        path: PathBuf,
        /// All of them.
        faults: Vec<Fault>,
    },
    /// Two settings do not go together, wherever each of them comes from.
    #[error("with the configuration file {}: {fault}", path.display())]
    Together {
        /// The file.
        path: PathBuf,
        /// What the command line's library says of it.
        fault: String,
    },
}

/// The faults, a line each, as compilers and editors know them.
fn lines(path: &Path, faults: &[Fault]) -> String {
    let told = faults.iter().map(|fault| format!("{}:{fault}", path.display()));
    told.collect::<Vec<_>>().join("\n")
}

impl Configuration {
    /// The file that is named, or that the environment names, or else the first of the usual ones;
    /// `None` if no such file exists. `root` is the command of the whole program.
    pub fn find(named: Option<PathBuf>, root: &Command) -> Result<Option<Self>, ConfigurationError> {
        let of_environment = || std::env::var_os(VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
        let named = named.or_else(of_environment);
        let usual = || USUAL.iter().map(PathBuf::from).find(|path| path.exists());
        named.or_else(usual).map(|path| Self::read(path, root)).transpose()
    }

    /// Reads a file.
    pub fn read(path: PathBuf, root: &Command) -> Result<Self, ConfigurationError> {
        let (text, is_public) = match file::text(&path) {
            Ok(read) => read,
            Err(source) => return Err(ConfigurationError::Unreadable { path, source }),
        };
        let written = Written::parse(&text).and_then(|written| {
            let faults = check::faults(&written, root, is_public);
            if faults.is_empty() { Ok(written) } else { Err(faults) }
        });
        match written {
            Ok(written) => Ok(Self { path, written }),
            Err(faults) => Err(ConfigurationError::Faulty { path, faults }),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it has a section for this command.
    pub fn has_section(&self, name: &str) -> bool {
        self.written.sections.iter().any(|(section, _)| section == name)
    }

    /// Gives the options of all commands the values of the file, as defaults.
    pub fn fill_in(&self, root: Command) -> Command {
        let root = self.with_defaults(root, ROOT_SECTION);
        root.mut_subcommands(|command| {
            let section = command.get_name().to_owned();
            self.fill_in_section(command, &section)
        })
    }

    fn fill_in_section(&self, command: Command, section: &str) -> Command {
        let command = self.with_defaults(command, section);
        command.mut_subcommands(|command| self.fill_in_section(command, section))
    }

    fn with_defaults(&self, command: Command, section: &str) -> Command {
        command.mut_args(|option| {
            let entry = Setting::of(&option).and_then(|setting| self.written.entry(section, setting.name));
            match entry {
                Some(entry) => option.default_values(entry.value.texts()).required(false),
                None => option,
            }
        })
    }

    /// Refuses settings of the command that is used if they do not go together, such as a
    /// certificate without its key: the library checks that only for the command line and the
    /// environment. `root` is the command of the whole program, without what the file sets.
    pub fn check_together(&self, root: &Command, matches: &ArgMatches) -> Result<(), ConfigurationError> {
        let (command, matches) = check::used(root, matches);
        self.check_command(command, matches)
    }

    fn check_command(&self, command: &Command, matches: &ArgMatches) -> Result<(), ConfigurationError> {
        let fault = check::together(command, matches);
        fault.map_or(Ok(()), |fault| Err(ConfigurationError::Together { path: self.path.clone(), fault }))
    }
}

/// Takes the name of the file out of a command line: the options' values come from the file, so it
/// is needed before they are read, and it may stand before the command and after it.
pub fn take_from(arguments: impl IntoIterator<Item = OsString>) -> (Option<PathBuf>, Vec<OsString>) {
    let (mut named, mut rest, mut arguments) = (None, Vec::new(), arguments.into_iter());
    while let Some(argument) = arguments.next() {
        let joined = argument.to_str().and_then(|argument| argument.strip_prefix(OPTION)?.strip_prefix('='));
        match joined {
            Some(path) => named = Some(path.into()),
            None if argument == OPTION => match arguments.next() {
                Some(path) => named = Some(path.into()),
                // The library says that a value is missing.
                None => rest.push(argument),
            },
            None if argument == "--" => {
                rest.push(argument);
                rest.extend(arguments.by_ref());
            }
            None => rest.push(argument),
        }
    }
    (named, rest)
}

#[cfg(test)]
mod tests;
