//! README.md, ARCHITECTURE.md and the book under `docs/`: their examples run, their links lead
//! somewhere, and the commands and files that they name exist.

mod commands;
mod examples;
mod expected;
mod links;
mod page;
mod reference;
mod tidy;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use page::Page;

/// The repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder whose name has this ending, in a fixed order.
fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().is_some_and(|name| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{} has no {ending}", folder.display());
    found
}

/// README.md, ARCHITECTURE.md and every page of the book.
fn pages() -> Vec<Page> {
    let own = ["README.md", "ARCHITECTURE.md"].map(|name| root().join(name));
    own.into_iter().chain(files_below(&root().join("docs"), ".md")).map(|path| Page::read(&path)).collect()
}

#[test]
fn the_pages_that_a_newcomer_reads_first_are_short() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    let lines = read("README.md").lines().count();
    assert!(lines <= 150, "README.md has {lines} lines; 150 are allowed: move details to docs/");
    let bytes = read("ARCHITECTURE.md").len();
    assert!(
        bytes <= 8_192,
        "ARCHITECTURE.md has {bytes} bytes; 8,192 are allowed: move details to a module or docs/decisions/"
    );
}
