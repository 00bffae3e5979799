//! What can be set: the options that also have an environment variable.

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command};
use std::any::TypeId;
use std::collections::BTreeMap;

/// The section whose settings the program without a command has.
pub const ROOT_SECTION: &str = "dev";
/// The option that names the file itself.
const FILE: &str = "config";

/// What a setting takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Switch,
    /// A whole number.
    Integer,
    /// One of these words.
    Choice(Vec<String>),
    /// Any number of texts.
    List,
    /// A text.
    Text,
}

/// An option that a configuration file can set.
pub struct Setting<'a> {
    /// The key: the long name of the option.
    pub name: &'a str,
    /// The environment variable that counts before the file.
    pub variable: &'a str,
    pub option: &'a Arg,
}

impl<'a> Setting<'a> {
    /// `None`: the option cannot be set by a file.
    pub fn of(option: &'a Arg) -> Option<Self> {
        let (name, variable) = (option.get_long()?, option.get_env()?.to_str()?);
        (name != FILE).then_some(Self { name, variable, option })
    }

    pub fn kind(&self) -> Kind {
        let parser = self.option.get_value_parser();
        match self.option.get_action() {
            ArgAction::SetTrue | ArgAction::SetFalse => Kind::Switch,
            _ if self.option.get_value_delimiter().is_some() => Kind::List,
            _ if is_integer(parser) => Kind::Integer,
            _ => match self.option.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect() {
                none if Vec::is_empty(&none) => Kind::Text,
                names => Kind::Choice(names),
            },
        }
    }

    /// What the help says of it, on one line.
    pub fn help(&self) -> String {
        self.option.get_help().map(ToString::to_string).unwrap_or_default()
    }

    /// What the program takes if nothing sets it. Several values are joined by commas.
    pub fn default(&self) -> Option<String> {
        let values = self.option.get_default_values().iter().map(|value| value.to_string_lossy());
        Some(values.collect::<Vec<_>>().join(",")).filter(|joined| !joined.is_empty())
    }

    /// Whether a reload changes it.
    pub fn is_reloaded(&self) -> bool {
        self.option.get_help_heading() == Some(live::RELOADED)
    }

    /// Whether its value may hold a password.
    pub fn is_secret(&self) -> bool {
        self.option.is_hide_env_values_set()
    }
}

fn is_integer(parser: &ValueParser) -> bool {
    let integers = [
        TypeId::of::<u8>(),
        TypeId::of::<u16>(),
        TypeId::of::<u32>(),
        TypeId::of::<u64>(),
        TypeId::of::<usize>(),
        TypeId::of::<i64>(),
        TypeId::of::<std::num::NonZeroU32>(),
        TypeId::of::<std::num::NonZeroU64>(),
        TypeId::of::<std::num::NonZeroUsize>(),
    ];
    integers.iter().any(|integer| parser.type_id() == *integer)
}

/// The settings of a command, and of the commands below it, in the order of the help.
pub fn settings(command: &Command) -> Vec<Setting<'_>> {
    let own = command.get_arguments().filter_map(Setting::of);
    own.chain(command.get_subcommands().flat_map(settings)).collect()
}

/// The settings of each section of a file by their names. Commands below one another may have the
/// same setting twice; the first one describes it.
pub fn sections(root: &Command) -> Vec<(&Command, BTreeMap<&str, Setting<'_>>)> {
    let section = |command| (command, by_name(settings(command)));
    root.get_subcommands().map(section).filter(|(_, settings)| !settings.is_empty()).collect()
}

/// The settings of all sections by their names: what can stand at the top of a file.
pub fn of_all(root: &Command) -> BTreeMap<&str, Setting<'_>> {
    by_name(settings(root))
}

fn by_name(settings: Vec<Setting<'_>>) -> BTreeMap<&str, Setting<'_>> {
    let mut named = BTreeMap::new();
    for setting in settings {
        named.entry(setting.name).or_insert(setting);
    }
    named
}
