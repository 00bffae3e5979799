//! Which settings of a process have other values than before.

use clap::{ArgMatches, Command};

use crate::check::used;
use crate::settings::Setting;

/// A setting with another value than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The option's name.
    pub name: String,
    /// Whether a reload changes it. Otherwise, the next start does.
    pub is_reloaded: bool,
}

/// The settings of the command that is used, and those of all commands, that differ between two
/// readings of one command line. `root` is the command of the whole program.
pub fn changed(root: &Command, before: &ArgMatches, after: &ArgMatches) -> Vec<Changed> {
    let ((command, of_command), (_, later)) = (used(root, before), used(root, after));
    let of_all = root.get_arguments().filter(|option| option.is_global_set()).map(|option| (option, before, after));
    let own = command.get_arguments().filter(|option| !option.is_global_set());
    let own = own.map(|option| (option, of_command, later));
    of_all.chain(own).filter_map(|(option, before, after)| differs(&Setting::of(option)?, before, after)).collect()
}

fn differs(setting: &Setting<'_>, before: &ArgMatches, after: &ArgMatches) -> Option<Changed> {
    let id = setting.option.get_id().as_str();
    let values =
        |matches: &ArgMatches| matches.get_raw(id).map(|values| values.map(ToOwned::to_owned).collect::<Vec<_>>());
    (values(before) != values(after))
        .then(|| Changed { name: setting.name.to_owned(), is_reloaded: setting.is_reloaded() })
}
