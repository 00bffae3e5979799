//! The commands, the options and the settings that pages name exist in the binary.

use std::collections::BTreeMap;
use std::fs;

use super::page::Page;
use super::{files_below, pages, root};
use crate::process::{binary, output_text};

/// The help of commands, by their words.
#[derive(Default)]
pub struct Helps(BTreeMap<Vec<String>, Option<String>>);

impl Helps {
    /// The help of a command; `None` if it does not exist.
    fn of(&mut self, words: &[String]) -> Option<&str> {
        let help = || {
            let output = binary().args(words).arg("--help").output().unwrap();
            output.status.success().then(|| output_text(&output))
        };
        self.0.entry(words.to_vec()).or_insert_with(help).as_deref()
    }

    /// The help of every command, by its words.
    pub fn all(mut self) -> Vec<(Vec<String>, String)> {
        let (mut all, mut open) = (Vec::new(), vec![Vec::new()]);
        while let Some(words) = open.pop() {
            let help = self.of(&words).unwrap().to_owned();
            open.extend(commands_in(&help).into_iter().map(|name| [words.clone(), vec![name]].concat()));
            all.push((words, help));
        }
        all.sort();
        all
    }
}

/// The commands of a page that begin with `tenuto`, with their line: in blocks, and in code spans.
fn commands_of(page: &Page) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = page
        .code_spans()
        .into_iter()
        .filter(|(_, span)| span.starts_with("tenuto "))
        .map(|(line, span)| (line, span.to_owned()))
        .collect();
    for block in page.blocks.iter().filter(|block| block.kind.starts_with("sh") || block.kind == "console") {
        let joined = block.text.replace("\\\n", " ");
        let commands = joined.lines().map(|line| line.trim_start_matches("$ ").trim());
        found.extend(commands.filter(|line| line.starts_with("tenuto ")).map(|line| (block.opens, line.to_owned())));
    }
    found
}

/// Whether the help lists the option.
fn lists(help: &str, option: &str) -> bool {
    help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).any(|word| word == option)
}

fn options_in(text: &str) -> impl Iterator<Item = &str> {
    let is_option = |word: &&str| word.len() > 3 && word.starts_with("--") && word.as_bytes()[2].is_ascii_lowercase();
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(is_option)
}

#[test]
fn every_command_and_option_on_a_page_exists() {
    let mut helps = Helps::default();
    let mut checked = 0;
    for page in pages() {
        for (line, command) in commands_of(&page) {
            let is_name =
                |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-');
            let names = command.split_whitespace().skip(1).take_while(is_name).take(2);
            let mut words: Vec<String> = names.map(str::to_owned).filter(|word| word != "help").collect();
            // The second word may be an argument, such as the name of a view.
            if words.len() == 2 && !helps.of(&words[..1]).is_some_and(|help| lists(help, &words[1])) {
                words.truncate(1);
            }
            let place = format!("{}:{line}: {command:?}", page.name());
            let help = helps.of(&words).unwrap_or_else(|| panic!("{place}: there is no such command"));
            for option in options_in(&command) {
                assert!(lists(help, option), "{place}: {option} is no option of it");
            }
            checked += 1;
        }
    }
    assert!(checked > 50, "only {checked} commands were found");
}

/// The names under `Commands:` in a help.
fn commands_in(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_option_that_a_page_names_alone_belongs_to_a_command() {
    let all: String = Helps::default().all().into_iter().map(|(_, help)| help).collect();
    for page in pages() {
        for (line, span) in page.code_spans().into_iter().filter(|(_, span)| span.starts_with("--")) {
            for option in options_in(span) {
                assert!(lists(&all, option), "{}:{line}: {option} is no option of any command", page.name());
            }
        }
    }
}

#[test]
fn every_setting_and_metric_that_a_page_names_is_in_the_sources() {
    let folders = ["src", "command-handler", "projector", "query-api", "crates", "tests", "benches"];
    let sources: String = folders
        .iter()
        .flat_map(|folder| files_below(&root().join(folder), ".rs"))
        .filter(|path| !path.starts_with(root().join("tests/e2e/book")))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for page in pages() {
        let named = page.text.split(|c: char| !is_part(c)).filter(|word| word.starts_with("TENUTO_"));
        for name in named.filter(|name| name.len() > "TENUTO_".len()) {
            // clap derives the name from that of the option.
            let derived = format!("--{}", name["TENUTO_".len()..].to_lowercase().replace('_', "-"));
            assert!(sources.contains(name) || page.text.contains(&derived), "{}: {name} is read nowhere", page.name());
        }
    }
}
