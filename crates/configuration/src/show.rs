//! What counts for a command, and where each value comes from.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use secrets::{Sources, without_secrets};
use serde_json::{Value, json};

use crate::Configuration;
use crate::place::Place;
use crate::settings::{Kind, Setting};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A variable of the environment.
    Environment(String),
    /// A file or a credential that holds this one secret.
    SecretFile,
    /// The configuration file.
    File(Place),
    /// The program.
    Default,
    /// There is no value.
    Unset,
}

/// A setting with what counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    pub name: String,
    /// Without passwords, in the form of TOML.
    pub value: Option<Value>,
    pub origin: Origin,
    /// Whether a reload changes it.
    pub is_reloaded: bool,
}

/// The settings of a section. `matches` are those of its command, with what the file sets.
pub fn effective(
    section: &str,
    command: &Command,
    matches: &ArgMatches,
    configuration: Option<&Configuration>,
    sources: &Sources,
) -> Vec<Effective> {
    let one = |setting: Setting<'_>| {
        let place = || Some(configuration?.written.entry(section, setting.name)?.place);
        let origin = match matches.value_source(setting.option.get_id().as_str()) {
            None => Origin::Unset,
            Some(ValueSource::EnvVariable) => Origin::Environment(setting.variable.to_owned()),
            Some(_) if setting.is_secret() && matches!(sources.read_file(setting.variable), Ok(Some(_))) => {
                Origin::SecretFile
            }
            Some(_) => place().map_or(Origin::Default, Origin::File),
        };
        let (name, is_reloaded) = (setting.name.to_owned(), setting.is_reloaded());
        Effective { name, value: value(&setting, matches), origin, is_reloaded }
    };
    command.get_arguments().filter_map(Setting::of).map(one).collect()
}

fn value(setting: &Setting<'_>, matches: &ArgMatches) -> Option<Value> {
    let shown = matches.get_raw(setting.option.get_id().as_str())?.map(|value| match value.to_string_lossy() {
        text if setting.is_secret() => without_secrets(&text),
        text => text.into_owned(),
    });
    let shown: Vec<String> = shown.collect();
    let alone = || shown.join(",");
    Some(match setting.kind() {
        Kind::Switch => json!(alone() == "true"),
        Kind::Integer => alone().parse::<u64>().map_or_else(|_| json!(alone()), |number| json!(number)),
        Kind::List => json!(shown),
        Kind::Choice(_) | Kind::Text => json!(alone()),
    })
}

impl Effective {
    /// As a line of text.
    pub fn line(&self) -> String {
        let reload = if self.is_reloaded { "; reload: yes" } else { "" };
        let origin = match &self.origin {
            Origin::Environment(variable) => variable.clone(),
            Origin::SecretFile => "secret file".to_owned(),
            Origin::File(place) => format!("line {}", place.line),
            Origin::Default => "default".to_owned(),
            Origin::Unset => return format!("# {} is not set{reload}", self.name),
        };
        // JSON of these kinds is TOML too.
        format!("{} = {}  # {origin}{reload}", self.name, self.value.as_ref().unwrap_or(&Value::Null))
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let (origin, detail) = match &self.origin {
            Origin::Environment(variable) => ("environment", json!(variable)),
            Origin::SecretFile => ("secret-file", Value::Null),
            Origin::File(place) => ("file", json!(place.line)),
            Origin::Default => ("default", Value::Null),
            Origin::Unset => ("unset", Value::Null),
        };
        json!({ "name": self.name, "value": self.value, "origin": origin, "at": detail, "reload": self.is_reloaded })
    }
}
