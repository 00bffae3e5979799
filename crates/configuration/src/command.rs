//! `tenuto config`: checks a configuration file, and shows what counts.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, Subcommand};
use command_line::output::{self, Failure, WriteError, printable};
use command_line::suggest::did_you_mean;
use secrets::{SecretOptions, Sources};
use serde_json::{Value, json};

use crate::settings::sections;
use crate::show::{Effective, effective};
use crate::{Configuration, ConfigurationError, example, schema};

/// The sections of what serves: they are shown if none is named.
pub const ROLES: [&str; 5] = ["command-handler", "projector", "query-api", "participants", "event-store"];

/// Options of `tenuto config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check a configuration file: each fault with its line and column
    #[command(after_help = "Exit code: 0 if the file has no fault; 1 if it has one; 2 if there is no file.")]
    Check {
        /// The file [default: the one that a command would read]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Show the settings that count for a command, and where each value comes from
    Show {
        /// The command, such as query-api [default: each role]
        #[arg(value_name = "COMMAND")]
        section: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of the file, for editors
    Schema,
    /// Print a file with every setting, as a comment
    Example,
}

/// Why `tenuto config` failed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is nothing to check.
    #[error("there is no configuration file: neither --config nor TENUTO_CONFIG names one, and none of these exists: {}", crate::USUAL.join(", "))]
    NoFile,
    /// A section that does not exist.
    #[error("{0:?} is no command that can be configured{1}")]
    NoSuchSection(String, String),
    /// What is set for a command cannot be read.
    #[error("what is set for {section} cannot be used: {reason}")]
    Unusable {
        /// The command.
        section: String,
        /// Why.
        reason: String,
    },
    /// The file cannot be used.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// Nothing can be printed.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Failure for ConfigError {
    fn of_writing(&self) -> Option<&WriteError> {
        match self {
            Self::Write(error) => Some(error),
            Self::NoFile | Self::NoSuchSection(..) | Self::Unusable { .. } | Self::Configuration(_) => None,
        }
    }
}

/// Does what is asked. `root` is the command of the whole program, and `found` the file that it
/// would read. Exit code 1: the file has faults.
pub fn run(
    args: ConfigArgs,
    root: &Command,
    found: Result<Option<Configuration>, ConfigurationError>,
) -> Result<ExitCode, ConfigError> {
    output::forgive_closed_pipe(carry_out(args, root, found))
}

fn carry_out(
    args: ConfigArgs,
    root: &Command,
    found: Result<Option<Configuration>, ConfigurationError>,
) -> Result<ExitCode, ConfigError> {
    match args.command {
        ConfigCommand::Check { file: Some(file) } => check(Configuration::read(file, root).map(Some)),
        ConfigCommand::Check { file: None } => check(found),
        ConfigCommand::Show { section, json } => show(section.as_deref(), json, root, found?.as_ref()),
        ConfigCommand::Schema => {
            print_json(&schema::schema(root))?;
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Example => {
            output::print(&example::example(root))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn print_json(value: &Value) -> Result<(), WriteError> {
    output::print_json(&format!("{value:#}\n"))
}

fn check(found: Result<Option<Configuration>, ConfigurationError>) -> Result<ExitCode, ConfigError> {
    match found {
        Ok(None) => Err(ConfigError::NoFile),
        Ok(Some(configuration)) => {
            let path = configuration.path().display().to_string();
            let settings = configuration.written.entries.len();
            output::print(&format!("{}: {settings} settings, no faults\n", printable(&path)))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(ConfigurationError::Faulty { path, faults }) => {
            for fault in &faults {
                output::complain(&printable(&format!("{}:{fault}", path.display())));
            }
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}

fn show(
    section: Option<&str>,
    json: bool,
    root: &Command,
    configuration: Option<&Configuration>,
) -> Result<ExitCode, ConfigError> {
    let known = sections(root);
    let names: Vec<&str> = known.iter().map(|(command, _)| command.get_name()).collect();
    let chosen = match section {
        Some(name) if !names.contains(&name) => {
            return Err(ConfigError::NoSuchSection(name.to_owned(), did_you_mean(name, &names)));
        }
        Some(name) => vec![name],
        None => ROLES.to_vec(),
    };
    let sources = Sources::of_environment();
    let mut shown = Vec::new();
    for name in chosen {
        shown.push((name, of_section(name, root, configuration, &sources)?));
    }
    if json {
        let by_section = shown
            .iter()
            .map(|(name, settings)| ((*name).to_owned(), Value::Array(settings.iter().map(Effective::json).collect())));
        let file = configuration.map(|configuration| configuration.path().display().to_string());
        print_json(&json!({ "file": file, "settings": Value::Object(by_section.collect()) }))?;
    } else {
        output::print(&output::printable_lines(&text(configuration, &shown)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// TOML, with what is not set as comments.
fn text(configuration: Option<&Configuration>, shown: &[(&str, Vec<Effective>)]) -> String {
    let file = configuration.map(|configuration| format!("# {}\n", configuration.path().display()));
    let mut text = file.unwrap_or_else(|| "# no configuration file\n".to_owned());
    for (name, settings) in shown {
        let lines = settings.iter().map(|setting| setting.line() + "\n");
        text.extend(std::iter::once(format!("\n[{name}]\n")).chain(lines));
    }
    text
}

/// What counts for the command of a section.
fn of_section(
    name: &str,
    root: &Command,
    configuration: Option<&Configuration>,
    sources: &Sources,
) -> Result<Vec<Effective>, ConfigError> {
    let (command, matches) = what_counts(name, &[], root, configuration, sources)?;
    Ok(effective(name, &command, &matches, configuration, sources))
}

/// The command of a section with these arguments, and the values of its options: from the
/// arguments, the environment, files with secrets, and the configuration file, in this order.
/// `root` is the command of the whole program.
pub fn what_counts(
    name: &str,
    arguments: &[OsString],
    root: &Command,
    configuration: Option<&Configuration>,
    sources: &Sources,
) -> Result<(Command, ArgMatches), ConfigError> {
    let unusable = |reason: String| ConfigError::Unusable { section: name.to_owned(), reason };
    let mut secrets = SecretOptions::default();
    let filled = match configuration {
        Some(configuration) => configuration.fill_in(root.clone()),
        None => root.clone(),
    };
    let filled = secrets.fill_in(filled, sources);
    let command = filled.find_subcommand(name).ok_or_else(|| unusable("there is no such command".to_owned()))?;
    let lone = command.clone().no_binary_name(true).subcommand_required(false).arg_required_else_help(false);
    let lone = lone.mut_args(|option| option.required(false));
    // An error that is not for standard error is the help, if that is requested.
    let fault = |error: clap::Error| if error.use_stderr() { unusable(error.to_string()) } else { error.exit() };
    let matches = lone.try_get_matches_from(arguments).map_err(fault)?;
    secrets.check(command, &matches).map_err(|error| unusable(error.to_string()))?;
    if let (Some(configuration), Some(command)) = (configuration, root.find_subcommand(name)) {
        configuration.check_command(command, &matches)?;
    }
    Ok((command.clone(), matches))
}
