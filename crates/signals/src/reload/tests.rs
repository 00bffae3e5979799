//! Reloads of a small program, without signals.

use clap::{Args, CommandFactory, Parser};
use live::Live;
use tempfile::TempDir;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    logs: LogOptions,
    #[command(flatten)]
    server: Server,
}

#[derive(Args)]
struct Server {
    #[arg(long, env = "SIGNALS_TEST_MAX", default_value_t = 1, help_heading = live::RELOADED)]
    max: u8,
    #[arg(long, env = "SIGNALS_TEST_LISTEN", default_value = "here")]
    listen: String,
}

/// A program that was started with a file, and the value that a reload changes.
struct Program {
    reload: Reload,
    max: Live<u8>,
    folder: TempDir,
}

impl Program {
    fn start(file: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tenuto.toml");
        std::fs::write(&path, file).unwrap();
        let named = ["program", "--config", path.to_str().unwrap()];
        let line = CommandLine::of(Line::command(), named.iter().chain(arguments).map(Into::into));
        let configuration = line.find().unwrap();
        let matches = line.read(configuration.as_ref()).unwrap();
        let started = Line::from_arg_matches(&matches).unwrap();
        let reload = Reload::new(line, matches, configuration.as_ref(), |_| {});
        Self { reload, max: Live::new(started.server.max), folder }
    }

    /// What a reload with this file does; `None`: with no file.
    fn reload(&mut self, file: Option<&str>) -> Result<Done, String> {
        let path = self.folder.path().join("tenuto.toml");
        match file {
            Some(file) => std::fs::write(path, file).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        let max = self.max.clone();
        self.reload.read::<Server>(&move |server| {
            if server.max == 13 { Err("13 is refused".into()) } else { Ok(Change::default().set(&max, server.max)) }
        })
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn what_can_change_does_and_what_waits_for_the_next_start_is_named_until_then() {
    let mut program = Program::start("max = 2", &[]);
    let done = program.reload(Some("max = 3\nlisten = \"there\"\nlog = \"debug\"")).unwrap();
    assert_eq!((done.changed, done.later, *program.max.get()), (names(&["log", "max"]), names(&["listen"]), 3));
    let done = program.reload(Some("max = 3\nlisten = \"there\"\nlog = \"debug\"")).unwrap();
    assert_eq!((done.changed, done.later), (names(&[]), names(&["listen"])));
    let done = program.reload(Some("")).unwrap();
    assert_eq!((done.changed, done.later, *program.max.get()), (names(&["log", "max"]), names(&[]), 1));
}

#[test]
fn a_fault_changes_nothing_and_is_told_on_one_line_with_its_place() {
    let mut program = Program::start("max = 2", &[]);
    for (file, told) in [
        ("max = 3\nmaxx = 4\nlisten = 1.5.2", "tenuto.toml:3:"),
        ("max = 3\nmaxx = 4\nlisten = true", "tenuto.toml:2:1: maxx: there is no such setting"),
        ("max = 300", "tenuto.toml:1:1: max: \"300\" cannot be used"),
        ("max = 13", "13 is refused"),
    ] {
        let fault = program.reload(Some(file)).unwrap_err();
        assert!(fault.contains(told) && !fault.contains('\n'), "{fault}");
        assert_eq!(*program.max.get(), 2, "{file}");
    }
    let gone = program.reload(None).unwrap_err();
    assert!(gone.contains("cannot be read") && *program.max.get() == 2, "{gone}");
}

#[test]
fn the_command_line_counts_before_the_file_as_at_the_start() {
    let mut program = Program::start("max = 2", &["--max", "7"]);
    let done = program.reload(Some("max = 3")).unwrap();
    assert_eq!((done.changed, *program.max.get()), (names(&[]), 7));
}

#[test]
fn after_a_reload_every_option_that_it_changes_is_as_after_a_start_with_the_same_file() {
    let files = ["", "max = 2", "max = 5\nlisten = \"there\"", "listen = \"there\"\nlog = \"warn\""];
    for (before, after) in files.iter().flat_map(|before| files.iter().map(move |after| (before, after))) {
        let mut program = Program::start(before, &[]);
        program.reload(Some(after)).unwrap();
        let fresh = Program::start(after, &[]);
        assert_eq!(*program.max.get(), *fresh.max.get(), "{before:?}, then {after:?}");
        assert_eq!(changed(&Line::command(), &program.reload.latest, &fresh.reload.latest), []);
    }
}
