//! Files against a program.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;

use clap::FromArgMatches;
use serde_json::json;

use super::*;
use crate::example::example;
use crate::schema::schema;
use crate::testing::{Form, Line, Server, Sub, root};

/// A file with this text, with these rights.
fn read_with(text: &str, mode: u32) -> Result<Configuration, ConfigurationError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenuto.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    Configuration::read(path, &root())
}

/// The faults of a file, without its name.
fn faults(text: &str) -> Vec<String> {
    match read_with(text, 0o600) {
        Ok(_) => Vec::new(),
        Err(ConfigurationError::Faulty { faults, .. }) => faults.iter().map(ToString::to_string).collect(),
        Err(other) => panic!("{other}"),
    }
}

/// A command line, with a file.
fn parsed(text: &str, arguments: &[&str]) -> Result<Line, String> {
    let (configuration, root) = (read_with(text, 0o600).map_err(|error| error.to_string())?, root());
    let line = [&["program"][..], arguments].concat();
    let matches = configuration.fill_in(root.clone()).try_get_matches_from(line).map_err(|error| error.to_string())?;
    configuration.check_together(&root, &matches).map_err(|error| error.to_string())?;
    Line::from_arg_matches(&matches).map_err(|error| error.to_string())
}

fn server(text: &str, arguments: &[&str]) -> Server {
    let line = parsed(text, arguments).unwrap_or_else(|error| panic!("{error}"));
    match line.command {
        Some(Sub::Dev(server) | Sub::Serve(server)) => server,
        Some(Sub::Look(_)) => panic!("it is no server"),
        None => line.dev,
    }
}

#[test]
fn a_section_counts_before_the_top_and_the_command_line_before_both() {
    let text = "max = 3\nhosts = [\"a\", \"b\"]\nopen = true\n[serve]\nmax = 5\nlisten = \"127.0.0.1:9\"\n";
    let served = server(text, &["serve"]);
    assert_eq!((served.max.get(), served.listen.port(), served.open), (5, 9, true));
    assert_eq!(served.hosts, ["a", "b"]);
    assert_eq!(server(text, &["serve", "--max", "7"]).max.get(), 7);
    assert_eq!(server(text, &["serve", "--hosts", "c"]).hosts, ["c"]);
    for everything in [&[][..], &["dev"]] {
        let everything = server(text, everything);
        assert_eq!((everything.max.get(), everything.listen.port(), everything.open), (3, 7, true));
    }
}

#[test]
fn a_command_with_arguments_of_its_own_takes_its_settings_too() {
    let line = parsed("[look]\nform = \"json\"\nmax = 9", &["look", "o-1"]).unwrap();
    let Some(Sub::Look(look)) = line.command else { panic!("another command") };
    assert_eq!((look.order.as_str(), look.form, look.max), ("o-1", Form::Json, Some(9)));
}

#[test]
fn each_fault_is_told_with_its_line_and_column() {
    let text = "maxx = 3\nopen = \"yes\"\n\n[serv]\nmax = 1\n[serve]\nagain = true\n  max = \"many\"\nhosts = 4\n";
    let told = faults(text);
    assert_eq!(
        told,
        [
            "1:1: maxx: there is no such setting at the top of the file, did you mean \"max\"?",
            "2:1: open: write true or false",
            "4:2: [serv]: there is no such section, did you mean \"serve\"?; sections are dev, serve, look",
            "7:1: again: there is no such setting in [serve]",
            "8:3: max: \"many\" cannot be used: invalid digit found in string",
            "9:1: hosts: write a list of texts, as in [\"a\", \"b\"]",
        ]
    );
}

#[test]
fn a_value_is_checked_by_each_option_that_takes_it() {
    // A server takes it, and `look` does not.
    assert_eq!(faults("max = 300").len(), 1);
    assert_eq!(faults("[serve]\nmax = 300"), Vec::<String>::new());
    assert_eq!(faults("[serve]\nmax = 0").len(), 1);
    assert_eq!(faults("[look]\nform = \"xml\""), ["2:1: form: \"xml\" is none of text, json"]);
    assert_eq!(faults("[serve]\nlisten = \"nowhere\"").len(), 1);
}

#[test]
fn a_text_that_is_not_toml_is_told_with_its_place() {
    for (text, place) in [("max = ", "1:"), ("max = 1\nmax = 2", "2:1"), ("[serve\nmax = 1", "1:"), ("\u{0}", "1:")] {
        let told = faults(text);
        assert!(told.first().is_some_and(|fault| fault.starts_with(place)), "{text:?}: {told:?}");
    }
    for (text, part) in
        [("max = 0x10", "decimal"), ("max = 1979-05-27", "quotation"), ("[serve]\nmax.a = 1", "section")]
    {
        let told = faults(text);
        assert!(told.len() == 1 && told[0].contains(part), "{text:?}: {told:?}");
    }
}

#[test]
fn a_password_needs_a_file_that_not_everybody_can_read() {
    let text = "[serve]\ndatabase = \"postgres://u:s3cret@h/db\"";
    assert!(read_with(text, 0o640).is_ok());
    let refused = read_with(text, 0o644).unwrap_err().to_string();
    assert!(refused.contains("CONFIGURATION_TEST_DATABASE_FILE") && !refused.contains("s3cret"), "{refused}");
    assert!(read_with("[serve]\ndatabase = \"postgres://u@h/db\"", 0o644).is_ok());
}

#[test]
fn settings_that_belong_together_are_checked_wherever_they_come_from() {
    let alone = parsed("[serve]\ncertificate = \"c.pem\"", &["serve"]).map(|_| ()).unwrap_err();
    assert!(alone.contains("--key"), "{alone}");
    assert!(parsed("[serve]\ncertificate = \"c.pem\"", &["serve", "--key", "k.pem", "--certificate", "d.pem"]).is_ok());
    assert!(parsed("[serve]\ncertificate = \"c.pem\"\nkey = \"k.pem\"", &["serve"]).is_ok());
    assert!(parsed("[serve]\ncertificate = \"c.pem\"", &["dev"]).is_ok());
}

#[test]
fn the_option_names_the_file_before_the_command_and_after_it_but_not_behind_the_end_of_options() {
    for (line, named, rest) in [
        (&["p", "serve", "--config", "a.toml", "--max", "1"][..], Some("a.toml"), &["p", "serve", "--max", "1"][..]),
        (&["p", "--config=b.toml", "serve"], Some("b.toml"), &["p", "serve"]),
        (&["p", "serve", "--", "--config", "a"], None, &["p", "serve", "--", "--config", "a"]),
        (&["p", "--configure=a"], None, &["p", "--configure=a"]),
        (&["p", "--config"], None, &["p", "--config"]),
    ] {
        let taken = take_from(line.iter().map(OsString::from));
        assert_eq!(taken, (named.map(PathBuf::from), rest.iter().map(OsString::from).collect()));
    }
}

#[test]
fn a_file_that_is_named_and_missing_is_an_error() {
    let error = Configuration::read("/nonexistent/tenuto.toml".into(), &root()).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/tenuto.toml") && error.contains("--config"), "{error}");
}

#[test]
fn the_schema_has_every_setting_with_its_type_and_default() {
    let schema = schema(&root());
    let at = |pointer: &str| schema.pointer(pointer).cloned().unwrap_or_default();
    assert_eq!(at("/properties/serve/properties/max/type"), json!("integer"));
    assert_eq!(at("/properties/serve/properties/max/default"), json!(1));
    assert_eq!(at("/properties/look/properties/form/enum"), json!(["text", "json"]));
    assert_eq!(at("/properties/hosts/type"), json!("array"));
    assert_eq!(at("/properties/open/description"), json!("Whether everybody gets in"));
    assert_eq!(at("/properties/serve/properties/again"), json!(null));
    assert_eq!(at("/properties/config"), json!(null));
}

#[test]
fn the_example_is_a_file_without_faults_also_if_every_setting_counts() {
    let example = example(&root());
    assert_eq!(faults(&example), Vec::<String>::new());
    let all: String = example
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if setting.starts_with(|c: char| c.is_ascii_lowercase()) => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let told = faults(&all);
    // The form of an address is no address.
    let other: Vec<_> = told.iter().filter(|fault| !fault.contains("cannot be used")).collect();
    assert!(other.is_empty() && all.contains("\nform = \"text\"\n"), "{told:?}\n{all}");
}
