//! The configuration file, as a user meets it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, binary, ends, output_text};

/// A folder with this `tenuto.toml`.
fn folder(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tenuto.toml"), text).unwrap();
    folder
}

fn in_folder(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = binary();
    command.current_dir(folder).env_remove("TENUTO_CONFIG").args(arguments);
    command
}

/// The setting of a role, as `config show --json` prints it.
fn shown(command: &mut Command, section: &str, name: &str) -> Value {
    let output = command.output().unwrap();
    let printed: Value = serde_json::from_str(&ends(&output, 0)).unwrap();
    let settings = printed["settings"][section].as_array().unwrap().clone();
    settings.into_iter().find(|setting| setting["name"] == name).unwrap()
}

#[test]
fn a_file_in_the_folder_sets_what_the_environment_and_the_command_line_do_not() {
    let folder = folder("max-request-rate = 5\n[query-api]\nlisten = \"127.0.0.1:7100\"\n");
    let show = || in_folder(folder.path(), &["config", "show", "query-api", "--json"]);
    let listen = shown(&mut show(), "query-api", "listen");
    assert_eq!(
        (&listen["value"], &listen["origin"], &listen["at"]),
        (&"127.0.0.1:7100".into(), &"file".into(), &3.into())
    );
    let rate = shown(&mut show(), "query-api", "max-request-rate");
    assert_eq!((&rate["value"], &rate["at"]), (&5.into(), &1.into()));
    let variable = shown(show().env("TENUTO_LISTEN", "127.0.0.1:7101"), "query-api", "listen");
    assert_eq!((&variable["value"], &variable["origin"]), (&"127.0.0.1:7101".into(), &"environment".into()));
    let default = shown(&mut in_folder(folder.path(), &["config", "show", "--json"]), "command-handler", "listen");
    assert_eq!((&default["value"], &default["origin"]), (&"127.0.0.1:7007".into(), &"default".into()));
}

#[test]
fn a_password_is_not_shown_and_its_own_file_counts_first() {
    let folder = folder("postgres = \"postgres://tenuto@views/a\"\n");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "postgres://tenuto:s3cret@views/b").unwrap();
    let mut show = in_folder(folder.path(), &["config", "show", "projector", "--json"]);
    let postgres =
        shown(show.env_remove("TENUTO_POSTGRES").env("TENUTO_POSTGRES_FILE", &secret), "projector", "postgres");
    assert_eq!((&postgres["value"], &postgres["origin"]), (&"postgres://tenuto@views/b".into(), &"secret-file".into()));
}

#[test]
fn a_role_takes_its_settings_from_the_file() {
    let folder = folder("[event-store]\nlisten = \"127.0.0.1:0\"\n");
    let data = folder.path().join("data");
    let file = folder.path().join("tenuto.toml");
    let arguments = ["event-store", "--config", file.to_str().unwrap(), "--data", data.to_str().unwrap()];
    let process = Process::start(&arguments, &[]);
    // A free port, and not 2113, which is the default.
    let log = process.line_after("the log at ");
    assert!(!log.contains(":2113") && log.contains("127.0.0.1:"), "{log}");
    assert!(process.stop().success());
}

#[test]
fn a_fault_stops_every_command_and_check_tells_all_of_them() {
    let folder = folder("max-cals = 3\n[query-api]\nlisten = \"nowhere\"\n");
    let output = in_folder(folder.path(), &["query-api"]).output().unwrap();
    let told = ends(&output, 2);
    assert!(told.contains("tenuto.toml:1:1: max-cals") && told.contains("did you mean \"max-calls\""), "{told}");
    assert!(told.contains("tenuto.toml:3:1: listen: \"nowhere\" cannot be used"), "{told}");
    let output = in_folder(folder.path(), &["config", "check"]).output().unwrap();
    assert_eq!(ends(&output, 1).lines().count(), 2, "{}", output_text(&output));
    let none = tempfile::tempdir().unwrap();
    for arguments in [["query-api", "--config", "absent.toml"], ["--config", "absent.toml", "query-api"]] {
        let missing = in_folder(none.path(), &arguments).output().unwrap();
        assert!(ends(&missing, 2).contains("absent.toml"));
    }
}

#[test]
fn a_certificate_in_the_file_without_its_key_is_refused() {
    let folder = folder("[query-api]\ntls-certificate = \"c.pem\"\n");
    let told = ends(&in_folder(folder.path(), &["query-api"]).output().unwrap(), 2);
    assert!(told.contains("--tls-key") && told.contains("tenuto.toml"), "{told}");
}

/// A page of the book that a command prints.
fn golden(page: &str, arguments: &[&str]) -> String {
    let output = in_folder(&std::env::temp_dir(), arguments).output().unwrap();
    let printed = ends(&output, 0);
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/platform").join(page);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &printed).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(known == printed, "{page} is not what the options say; run this test with UPDATE_GOLDEN=1");
    printed
}

#[test]
fn the_book_has_every_setting_and_the_schema_as_the_options_say() {
    let example = golden("tenuto.toml", &["config", "example"]);
    assert!(example.contains("\n#max-calls = 48\n"), "{example}");
    let schema: Value = serde_json::from_str(&golden("tenuto.schema.json", &["config", "schema"])).unwrap();
    assert_eq!(schema["properties"]["query-api"]["properties"]["insecure-open"]["type"], "boolean");
    let folder = folder(&example);
    ends(&in_folder(folder.path(), &["config", "check"]).output().unwrap(), 0);
}
