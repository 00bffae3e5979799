//! The command: which roles are checked, and how the result is shown.

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Command};
use command_line::output::{self, Failure, Palette, WriteError};
use command_line::suggest::did_you_mean;
use configuration::Configuration;
use configuration::command::what_counts;
use secrets::Sources;

use crate::checks;
use crate::finding::{Finding, Level};
use crate::report::Report;
use crate::role::{DEV, Role, names};
use crate::surroundings::Surroundings;

/// The roles that are checked if the configuration file has a section for none.
const USUAL: [&str; 3] = ["command-handler", "projector", "query-api"];

/// Options of `tenuto doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 if there is no fault; 1 if there is one; 2 if nothing was checked.")]
pub struct DoctorArgs {
    /// Also append an event to the stream tenuto-doctor of the log, which keeps only the last one,
    /// and read it
    #[arg(long)]
    write: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The role, such as query-api, and the options that it is started with [default: each role
    /// that the configuration file has a section for, or else command-handler, projector and
    /// query-api; or dev, if no log and no Postgres is named]
    #[arg(value_name = "ROLE", trailing_var_arg = true, allow_hyphen_values = true)]
    role: Vec<OsString>,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// It is no role.
    #[error("{0:?} is no role{1}; give one of {roles}, with its options after it", roles = names().join(", "))]
    NoSuchRole(String, String),
    /// Nothing can be printed.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Failure for DoctorError {
    fn of_writing(&self) -> Option<&WriteError> {
        match self {
            Self::Write(error) => Some(error),
            Self::NoSuchRole(..) => None,
        }
    }
}

/// Checks, and prints what was found. `root` is the command of the whole program, without what the
/// configuration file sets. Exit code 1: there is a fault.
pub async fn run(
    args: DoctorArgs,
    root: &Command,
    configuration: Option<&Configuration>,
    surroundings: &Surroundings,
) -> Result<ExitCode, DoctorError> {
    let mut findings = Vec::new();
    let mut roles = Vec::new();
    for (name, options) in chosen(&args.role, root, configuration)? {
        match role(&name, options, root, configuration) {
            Ok(role) => roles.push(role),
            Err(error) => findings.push(Finding::fault(format!("settings of {name}"), first_line(&error))),
        }
    }
    findings.extend(checks::all(&roles, args.write, surroundings).await);
    let report = Report::new(findings);
    let printed = if args.json {
        output::print_json(&format!("{:#}\n", report.json()))
    } else {
        output::print(&report.table(Palette::of_stdout()))
    };
    let code = if report.count(Level::Fault) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    output::forgive_closed_pipe(printed.map(|()| code).map_err(DoctorError::from))
}

/// The names of the roles to check, each with the options that it is started with.
fn chosen<'a>(
    given: &'a [OsString],
    root: &Command,
    configuration: Option<&Configuration>,
) -> Result<Vec<(String, &'a [OsString])>, DoctorError> {
    if let [name, options @ ..] = given {
        let name = name.to_string_lossy().into_owned();
        let known = names();
        if !known.contains(&name.as_str()) {
            let suggestion = did_you_mean(&name, &known);
            return Err(DoctorError::NoSuchRole(name, suggestion));
        }
        return Ok(vec![(name, options)]);
    }
    let has_section = |name: &&str| configuration.is_some_and(|configuration| configuration.has_section(name));
    let mut chosen: Vec<&str> = names().into_iter().filter(has_section).collect();
    if chosen.is_empty() {
        let usual = role(USUAL[0], &[], root, configuration);
        let servers = usual.ok().and_then(|role| role.servers);
        let embeds = servers.is_some_and(|servers| servers.event_store.is_none() && servers.postgres.is_none());
        chosen = if embeds { vec![DEV] } else { USUAL.to_vec() };
    }
    Ok(chosen.into_iter().map(|name| (name.to_owned(), &given[..0])).collect())
}

fn role(
    name: &str,
    options: &[OsString],
    root: &Command,
    configuration: Option<&Configuration>,
) -> Result<Role, Box<dyn Error>> {
    let (command, matches) = what_counts(name, options, root, configuration, &Sources::of_environment())?;
    Ok(Role::new(name, &command, &matches)?)
}

/// The library adds how to get help.
fn first_line(error: &dyn ToString) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().replace("cannot be used: error: ", "cannot be used: ")
}
