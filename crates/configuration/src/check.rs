//! What is wrong with a file that is TOML.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use command_line::suggest::did_you_mean;
use secrets::has_password;

use crate::file::{Entry, Value, Written};
use crate::place::Fault;
use crate::settings::{Kind, Setting, of_all, sections, settings};

/// All faults of a file, by their places. `is_public`: every user of this machine can read it.
pub fn faults(written: &Written, root: &Command, is_public: bool) -> Vec<Fault> {
    let (sections, of_all) = (sections(root), of_all(root));
    let names: Vec<&str> = sections.iter().map(|(command, _)| command.get_name()).collect();
    let mut faults = Vec::new();
    for (name, place) in &written.sections {
        if !names.contains(&name.as_str()) {
            let hint = did_you_mean(name, &names);
            let reason = format!("[{name}]: there is no such section{hint}; sections are {}", names.join(", "));
            faults.push(Fault { place: *place, reason });
        }
    }
    for entry in &written.entries {
        let known = match &entry.section {
            None => Some((root, &of_all)),
            Some(name) => sections.iter().find(|(command, _)| command.get_name() == name).map(|(c, all)| (*c, all)),
        };
        // A section that does not exist was reported.
        let Some((command, known)) = known else { continue };
        if let Err(reason) = check(entry, command, known, is_public) {
            faults.push(Fault { place: entry.place, reason: format!("{}: {reason}", entry.key) });
        }
    }
    faults.sort_by_key(|fault| fault.place);
    faults
}

fn check(entry: &Entry, command: &Command, known: &BTreeMap<&str, Setting<'_>>, is_public: bool) -> Result<(), String> {
    let Some(setting) = known.get(entry.key.as_str()) else {
        let hint = did_you_mean(&entry.key, &known.keys().copied().collect::<Vec<_>>());
        let place = entry.section.as_ref().map_or("at the top of the file".to_owned(), |name| format!("in [{name}]"));
        return Err(format!("there is no such setting {place}{hint}"));
    };
    fits(&entry.value, &setting.kind())?;
    if is_public && setting.is_secret() && entry.value.texts().iter().any(|text| has_password(text)) {
        return Err(format!(
            "it holds a password, and each user of this machine can read this file; take their right to read it away, \
             or set {0}_FILE to the name of a file with the URL",
            setting.variable
        ));
    }
    // The same name may take other values in another command.
    let mut alike = settings(command).into_iter().filter(|other| other.name == setting.name);
    alike.try_for_each(|setting| accepts(setting.option, &entry.value))
}

fn fits(value: &Value, kind: &Kind) -> Result<(), String> {
    match (kind, value) {
        (Kind::Switch, Value::Switch(_))
        | (Kind::List, Value::List(_))
        | (Kind::List | Kind::Integer | Kind::Choice(_) | Kind::Text, Value::Text(_))
        | (Kind::Integer | Kind::Choice(_) | Kind::Text, Value::Number(_)) => Ok(()),
        (Kind::Switch, _) => Err("write true or false".to_owned()),
        (Kind::List, _) => Err("write a list of texts, as in [\"a\", \"b\"]".to_owned()),
        (Kind::Integer, _) => Err("write a whole number".to_owned()),
        (Kind::Choice(words), _) => Err(format!("write one of the texts {}", words.join(", "))),
        (Kind::Text, _) => Err("write a text in quotation marks".to_owned()),
    }
}

/// Whether an option takes a value, by the option's own parser.
fn accepts(option: &Arg, value: &Value) -> Result<(), String> {
    let (Value::Text(_) | Value::Number(_) | Value::List(_)) = value else { return Ok(()) };
    // Without the rules of the option that name others.
    let alone = Arg::new("value").long("value").value_parser(option.get_value_parser().clone());
    let alone = alone.num_args(1).action(ArgAction::Append);
    let given = value.texts().into_iter().map(|text| format!("--value={text}"));
    let parsed = Command::new("").no_binary_name(true).arg(alone).try_get_matches_from(given);
    parsed.map(|_| ()).map_err(|error| refusal(&error))
}

/// What the library says of a value, without what it says of the command line.
fn refusal(error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        _ => String::new(),
    };
    let value = text(ContextKind::InvalidValue);
    match (error.kind(), std::error::Error::source(error)) {
        (ErrorKind::InvalidValue, _) => format!("{value:?} is none of {}", text(ContextKind::ValidValue)),
        (_, Some(cause)) => format!("{value:?} cannot be used: {cause}"),
        (_, None) => format!("{value:?} cannot be used"),
    }
}

/// Why the settings of a command do not go together. The library does not apply
/// such rules to defaults, so it reads them once more as if they all stood on the command line.
/// `command` does not have the file's values as defaults.
pub fn together(command: &Command, matches: &ArgMatches) -> Option<String> {
    let mut given = Vec::new();
    for setting in command.get_arguments().filter_map(Setting::of) {
        given.extend(as_given(&setting, matches));
    }
    let alone = command.clone().no_binary_name(true).subcommand_required(false);
    let alone = alone.mut_args(|option| option.required(false).env(Resettable::Reset));
    let error = alone.try_get_matches_from(given).err()?;
    match error.kind() {
        ErrorKind::MissingRequiredArgument | ErrorKind::ArgumentConflict => Some(first_line(&error)),
        _ => None,
    }
}

/// The innermost command that is used.
pub fn used<'a>(command: &'a Command, matches: &'a ArgMatches) -> (&'a Command, &'a ArgMatches) {
    let below = matches.subcommand().and_then(|(name, matches)| Some((command.find_subcommand(name)?, matches)));
    below.map_or((command, matches), |(command, matches)| used(command, matches))
}

/// A setting as it would stand on a command line, unless it is what the program takes by itself.
fn as_given(setting: &Setting<'_>, matches: &ArgMatches) -> Vec<OsString> {
    let id = setting.option.get_id().as_str();
    let values: Vec<_> = matches.get_raw(id).into_iter().flatten().collect();
    let joined = values.iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(",");
    match matches.value_source(id) {
        Some(ValueSource::DefaultValue) if setting.default().is_some_and(|default| default == joined) => {
            return Vec::new();
        }
        Some(_) => {}
        None => return Vec::new(),
    }
    match setting.kind() {
        Kind::Switch if matches.get_flag(id) => vec![format!("--{}", setting.name).into()],
        Kind::Switch => Vec::new(),
        Kind::Integer | Kind::Choice(_) | Kind::List | Kind::Text => values
            .into_iter()
            .map(|value| {
                let mut given = OsString::from(format!("--{}=", setting.name));
                given.push(value);
                given
            })
            .collect(),
    }
}

/// Such as `the following required arguments were not provided: --tls-key <FILE>`.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.split("\n\n").next().unwrap_or_default();
    text.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ")
}
