//! A file with every setting, as a comment, made from the options.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::Command;

use crate::settings::{Kind, Setting, sections};

/// The width of a comment.
const WIDTH: usize = 100;

const HEAD: &str = "\
# The configuration of Tenuto. A key at the top counts for each command that has an option of that
# name; a key in a section counts for that command alone, and before the one at the top. Variables
# of the environment count before this file, and the command line before both.
#
# Every setting is here as a comment, with the value that counts without it, or with an example of
# its form. `tenuto config check` checks this file; `tenuto config show` prints what counts. A
# setting with `Reload: yes` can change while a role runs: send it SIGHUP.
";

/// The file. What several commands have stands at the top, and what one has in its section.
pub fn example(root: &Command) -> String {
    let sections = sections(root);
    let is_shared = |name: &str| sections.iter().filter(|(_, settings)| settings.contains_key(name)).count() > 1;
    let mut text = HEAD.to_owned();
    let of_all = root.get_arguments().filter(|option| option.is_global_set()).filter_map(Setting::of);
    of_all.for_each(|setting| text.push_str(&entry(&setting)));
    let mut told = BTreeSet::new();
    for setting in sections.iter().flat_map(|(_, settings)| settings.values()) {
        if is_shared(setting.name) && told.insert(setting.name) {
            text.push_str(&entry(setting));
        }
    }
    for (command, settings) in &sections {
        let own: String = settings.values().filter(|setting| !is_shared(setting.name)).map(entry).collect();
        if !own.is_empty() {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            text.push('\n');
            text.push_str(&comment(&about));
            let _ = writeln!(text, "[{}]", command.get_name());
            text.push_str(&own);
        }
    }
    text
}

/// A setting with its description, as a comment.
fn entry(setting: &Setting<'_>) -> String {
    let reload = if setting.is_reloaded() { comment("Reload: yes") } else { String::new() };
    format!("\n{}{reload}#{} = {}\n", comment(&setting.help()), setting.name, value(setting))
}

fn value(setting: &Setting<'_>) -> String {
    let form = || setting.option.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    match (setting.kind(), setting.default()) {
        (Kind::Switch, default) => default.unwrap_or("false".to_owned()),
        (Kind::Integer, default) => default.unwrap_or("1".to_owned()),
        (Kind::Choice(words), default) => format!("{:?}", default.or(words.into_iter().next()).unwrap_or_default()),
        (Kind::List, _) => format!("[{:?}]", form().unwrap_or_default().trim_end_matches(",…")),
        (Kind::Text, default) => format!("{:?}", default.or_else(form).unwrap_or_default()),
    }
}

/// A text as comment lines.
fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut line = "#".to_owned();
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.extend([&line, "\n"]);
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}
