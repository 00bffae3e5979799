//! Options of the command line that may hold a secret: those that hide the value of their variable
//! from the help.

use std::collections::BTreeMap;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use secrecy::ExposeSecret;

use crate::sources::{SecretError, Sources};
use crate::urls::has_password;

/// The options of a command that may hold a secret, with the values that files have for them.
#[derive(Default)]
pub struct SecretOptions {
    /// The errors by variable. They matter only if the option is used.
    errors: BTreeMap<String, SecretError>,
}

/// A secret on a command line.
#[derive(Debug, thiserror::Error)]
#[error(
    "{option} holds a password, and each user of this machine can read a command line; set {variable} in the environment, or \
     {variable}_FILE to the name of a file with the URL, or leave the password out of {option}"
)]
pub struct OnCommandLine {
    option: String,
    variable: String,
}

/// Why a command must not run.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A secret is on the command line.
    #[error(transparent)]
    OnCommandLine(#[from] OnCommandLine),
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl SecretOptions {
    /// Gives the options of a command the values that files have for them, as defaults.
    pub fn fill_in(&mut self, command: Command, sources: &Sources) -> Command {
        let command = command.mut_args(|option| match variable(&option).map(|name| (sources.read_file(&name), name)) {
            Some((Ok(Some(secret)), _)) => {
                option.default_value(secret.expose_secret().to_owned()).hide_default_value(true)
            }
            Some((Err(error), name)) => {
                self.errors.insert(name, error);
                option
            }
            Some((Ok(None), _)) | None => option,
        });
        command.mut_subcommands(|command| self.fill_in(command, sources))
    }

    /// Refuses a secret on the command line, and a used option whose secret cannot be had.
    pub fn check(&mut self, command: &Command, matches: &ArgMatches) -> Result<(), Refused> {
        let used = matches.subcommand().and_then(|(name, matches)| Some((command.find_subcommand(name)?, matches)));
        for option in command.get_arguments() {
            let Some(variable) = variable(option) else { continue };
            match matches.value_source(option.get_id().as_str()) {
                Some(ValueSource::CommandLine) => refuse_password(option, variable, matches)?,
                // A subcommand has its own options.
                Some(_) | None if used.is_some() => {}
                Some(_) | None => self.errors.remove(&variable).map_or(Ok(()), Err)?,
            }
        }
        used.map_or(Ok(()), |(command, matches)| self.check(command, matches))
    }
}

/// The variable of an option that may hold a secret.
fn variable(option: &Arg) -> Option<String> {
    let variable = option.get_env().filter(|_| option.is_hide_env_values_set())?;
    Some(variable.to_str()?.to_owned())
}

fn refuse_password(option: &Arg, variable: String, matches: &ArgMatches) -> Result<(), OnCommandLine> {
    let mut values = matches.get_raw(option.get_id().as_str()).into_iter().flatten();
    if values.any(|value| has_password(&value.to_string_lossy())) {
        let option = format!("--{}", option.get_long().unwrap_or_default());
        return Err(OnCommandLine { option, variable });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
    use secrecy::SecretString;

    use super::*;

    #[derive(Parser)]
    #[command(args_conflicts_with_subcommands = true)]
    struct Line {
        #[command(subcommand)]
        command: Option<Sub>,
        #[command(flatten)]
        servers: Servers,
    }

    #[derive(Subcommand)]
    enum Sub {
        Run(Servers),
        Other { name: Option<String> },
    }

    #[derive(Args)]
    struct Servers {
        #[arg(long, env = "SECRETS_TEST_POSTGRES", hide_env_values = true)]
        postgres: Option<SecretString>,
    }

    /// What `run --postgres` is, with a file that has this content.
    fn run(file: Option<&str>, arguments: &[&str]) -> Result<Option<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postgres");
        if let Some(content) = file {
            std::fs::write(&path, content).unwrap();
        }
        let sources = Sources::of([("SECRETS_TEST_POSTGRES_FILE", path.to_str().unwrap())]);
        let mut options = SecretOptions::default();
        let mut command = options.fill_in(Line::command(), &sources);
        let matches = command.try_get_matches_from_mut([&["tenuto"][..], arguments].concat()).unwrap();
        options.check(&command, &matches).map_err(|refused| refused.to_string())?;
        let line = Line::from_arg_matches(&matches).unwrap();
        let servers = match line.command {
            Some(Sub::Run(servers)) => servers,
            Some(Sub::Other { name }) => return Ok(name),
            None => line.servers,
        };
        Ok(servers.postgres.map(|secret| secret.expose_secret().to_owned()))
    }

    #[test]
    fn a_file_sets_an_option_that_the_command_line_does_not_set() {
        let of_file = Ok(Some("postgres://u:s3cret@h".to_owned()));
        assert_eq!(run(Some("postgres://u:s3cret@h\n"), &["run"]), of_file);
        assert_eq!(run(Some("postgres://u:s3cret@h"), &[]), of_file);
        let given = run(Some("postgres://u:s3cret@h"), &["run", "--postgres", "postgres://u@other"]);
        assert_eq!(given, Ok(Some("postgres://u@other".to_owned())));
    }

    #[test]
    fn a_password_on_the_command_line_is_refused_with_the_way_out() {
        for arguments in [
            &["run", "--postgres", "postgres://u:s3cret@h/db"][..],
            &["run", "--postgres=postgres://h/db?password=s3cret"],
            &["--postgres", "postgres://u:s3cret@h/db"],
        ] {
            let refused = run(Some("postgres://h"), arguments).unwrap_err();
            let has_way_out = refused.contains("--postgres") && refused.contains("SECRETS_TEST_POSTGRES_FILE");
            assert!(has_way_out && !refused.contains("s3cret"), "{refused}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_only_if_its_option_is_used() {
        assert!(run(None, &["run"]).unwrap_err().contains("SECRETS_TEST_POSTGRES"));
        assert_eq!(run(None, &["other", "a"]).err(), None);
    }
}
