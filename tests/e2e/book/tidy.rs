//! Words and phrases that do not come back, and the width of prose. The language is plain technical
//! English: a named subject, the field's own term, one idea a sentence.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use super::words::{lines_with, prose_of_rust, words_of};
use super::{files_below, pages, root};

/// What is never right, and what to write instead.
const BANNED: [(&str, &str); 41] = [
    ("anew", "again, or rebuilt"),
    ("are said", "are reported, or stated"),
    ("are told", "receive"),
    ("as if not said", "by default"),
    ("beside", "in parallel, next to, or shadow"),
    ("broken off", "interrupted"),
    ("came of", "result"),
    ("comes of it", "result"),
    ("given back", "returned, or released"),
    ("gives back", "returns, or releases"),
    ("go on with", "continue, or resume"),
    ("goes on with", "continues, or resumes"),
    ("gone on with", "resumed"),
    ("heard", "received"),
    ("hears", "receives"),
    ("in the words of", "as, or with"),
    ("in which it came", "in arrival order"),
    ("is said", "is reported, or stated"),
    ("is told", "receives"),
    ("mended", "corrected, or repaired"),
    ("nobody", "no one, or name the role"),
    ("not said", "not set, or missing"),
    ("now and then", "occasionally"),
    ("of our own", "our"),
    ("of ours", "our"),
    ("of its own", "own, or its"),
    ("somebody", "caller, operator, participant, instance"),
    ("stand in for", "take over from"),
    ("stands in for", "takes over from"),
    ("stood in for", "taken over"),
    ("that there is not", "that does not exist"),
    ("there is none", "does not exist, or missing"),
    ("told apart", "distinguished"),
    ("told from", "distinguished from"),
    ("told of", "reported as"),
    ("told that", "receives"),
    ("was said", "was reported, or stated"),
    ("what comes of", "result"),
    ("what is due", "due work"),
    ("what it left", "resulting state"),
    ("whoever", "caller, client, operator, instance"),
];

/// Texts that tests, golden files or the log keep as they are, with the file that has them.
const KEPT: [(&str, &str); 2] = [
    // The log has this sentence in events, and a replay reads it.
    ("domain/src/order/failure.rs", "whoever"),
    ("domain/src/workflow/check/graph.rs", "of its own"),
];

/// Where Rust sources are: their comments and texts follow the same rules.
const FOLDERS: [&str; 8] = ["benches", "command-handler", "crates", "domain", "projector", "query-api", "src", "tests"];

/// Where other sources are, with the endings of their names. All of their text follows the rules on
/// phrases: few phrases of a language for programs are like these.
const OTHERS: [(&str, &str); 4] =
    [("console/src", ".ts"), ("console/src", ".svelte"), ("tests", ".mjs"), ("tests", ".py")];

/// The widest line of prose.
const WIDTH: usize = 100;

/// This file lists the phrases.
const SELF: &str = "tests/e2e/book/tidy.rs";

/// All Rust sources, without this file and generated code.
fn sources() -> impl Iterator<Item = PathBuf> {
    let all = FOLDERS.iter().flat_map(|folder| files_below(&root().join(folder), ".rs"));
    all.filter(|path| !path.ends_with(SELF) && !path.components().any(|part| part.as_os_str() == "generated"))
}

/// A line may be wider if it cannot be wrapped: a row of a table, or a long word.
fn may_be_wide(line: &str) -> bool {
    let words = line.trim_start_matches(['/', '!', ' ', '-', '#', '>']);
    words.starts_with('|') || !words.contains(' ')
}

#[test]
fn phrases_that_were_replaced_do_not_come_back() {
    let mut found = String::new();
    let pages = pages().into_iter().map(|page| (page.path.clone(), page.text));
    let sources = sources().map(|path| {
        let prose = prose_of_rust(&fs::read_to_string(&path).unwrap());
        (path, prose)
    });
    let others = OTHERS.iter().flat_map(|(folder, ending)| files_below(&root().join(folder), ending));
    let others = others.map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    });
    for (path, text) in pages.chain(sources).chain(others) {
        let words = words_of(&text);
        let kept = |phrase: &str| KEPT.iter().any(|(file, kept)| path.ends_with(file) && *kept == phrase);
        for (phrase, instead) in BANNED.into_iter().filter(|(phrase, _)| !kept(phrase)) {
            for line in lines_with(&words, phrase) {
                let path = path.strip_prefix(root()).unwrap().display();
                writeln!(found, "{path}:{line}: {phrase:?}: write: {instead}").unwrap();
            }
        }
    }
    assert!(found.is_empty(), "{found}");
}

#[test]
fn prose_is_at_most_100_columns_wide() {
    let mut found = String::new();
    let mut check = |name: &str, number: usize, line: &str| {
        if line.chars().count() > WIDTH && !may_be_wide(line) {
            writeln!(found, "{name}:{number}: {} columns", line.chars().count()).unwrap();
        }
    };
    for page in pages() {
        for (number, line) in page.prose() {
            check(&page.name(), number, line);
        }
    }
    for path in sources() {
        for (index, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            // Of code rustfmt decides.
            if line.trim_start().starts_with("//") {
                check(&path.display().to_string(), index + 1, line);
            }
        }
    }
    assert!(found.is_empty(), "{found}");
}
