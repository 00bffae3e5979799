//! What shells and `man` show about the command line. Both are generated from its definition.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::output::{WriteError, forgive_closed_pipe, print};

/// Options of `tenuto completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell that reads them
    #[arg(value_enum)]
    shell: Shell,
}

/// Options of `tenuto man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The folder; it is created if it is missing
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// The manual pages cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the manual pages into {}", folder.display())]
pub struct ManError {
    folder: PathBuf,
    source: io::Error,
}

/// `tenuto completions`.
pub fn completions(args: &CompletionsArgs, command: Command) -> Result<ExitCode, WriteError> {
    forgive_closed_pipe(print(&script(args.shell, command)).map(|()| ExitCode::SUCCESS))
}

/// The script that a shell reads. It is made whole before it is printed: the library panics at a
/// closed pipe.
fn script(shell: Shell, mut command: Command) -> String {
    let (mut script, name) = (Vec::new(), command.get_name().to_owned());
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// `tenuto man`: a page for each command that the help lists.
pub fn man(args: &ManArgs, command: Command) -> Result<ExitCode, ManError> {
    let written = fs::create_dir_all(&args.folder).and_then(|()| clap_mangen::generate_to(command, &args.folder));
    written.map(|()| ExitCode::SUCCESS).map_err(|source| ManError { folder: args.folder.clone(), source })
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ValueEnum};

    use super::*;

    fn command() -> Command {
        let place = Command::new("place").about("Place orders").arg(Arg::new("server").long("server"));
        Command::new("tenuto").subcommand(place).subcommand(Command::new("internal").hide(true))
    }

    #[test]
    fn the_completions_of_each_shell_have_each_command_and_option() {
        for shell in Shell::value_variants() {
            let script = script(*shell, command());
            assert!(script.contains("place") && script.contains("server"), "{shell}: {script}");
        }
    }

    #[test]
    fn each_listed_command_has_a_manual_page() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("man1");
        man(&ManArgs { folder: folder.clone() }, command()).unwrap();
        let mut pages: Vec<_> = fs::read_dir(&folder).unwrap().map(|page| page.unwrap().file_name()).collect();
        pages.sort();
        assert_eq!(pages, ["tenuto-place.1", "tenuto.1"]);
        let page = fs::read_to_string(folder.join("tenuto-place.1")).unwrap();
        assert!(page.contains("Place orders") && page.contains("server"), "{page}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let folder = file.path().join("man1");
        let error = man(&ManArgs { folder: folder.clone() }, command()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write the manual pages into {}", folder.display()));
    }
}
