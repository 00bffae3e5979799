//! Links lead to files and headings that exist, and paths in code spans to files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::page::Page;
use super::{files_below, pages, root};

/// The folders whose paths pages name in code spans.
const FOLDERS: [&str; 11] = [
    "domain/",
    "command-handler/",
    "projector/",
    "query-api/",
    "crates/",
    "src/",
    "tests/",
    "workflows/",
    "benches/",
    "docs/",
    "deploy/",
];

#[test]
fn every_link_leads_to_a_file_or_a_heading_of_the_repository() {
    let mut checked = 0;
    for page in pages() {
        for (line, target) in page.links() {
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { page.path.clone() } else { page.path.parent().unwrap().join(file) };
            assert!(path.exists(), "{}:{line}: {target} does not exist", page.name());
            if !anchor.is_empty() {
                let known = Page::read(&path).anchors().contains(&anchor.to_owned());
                assert!(known, "{}:{line}: {target}: the page has no such heading", page.name());
            }
            checked += 1;
        }
    }
    assert!(checked > 50, "only {checked} links were found");
}

#[test]
fn every_path_in_a_code_span_exists() {
    let mut checked = 0;
    for page in pages() {
        for (line, span) in page.code_spans() {
            let is_path = FOLDERS.iter().any(|folder| span.starts_with(folder));
            if is_path && !span.contains(['{', '…', ' ', '*']) {
                assert!(root().join(span).exists(), "{}:{line}: {span} does not exist", page.name());
                checked += 1;
            }
        }
    }
    assert!(checked > 20, "only {checked} paths were found");
}

#[test]
fn the_summary_lists_every_page_of_the_book() {
    let docs = root().join("docs");
    let summary = Page::read(&docs.join("SUMMARY.md"));
    let listed: BTreeSet<_> = summary.links().into_iter().map(|(_, target)| docs.join(target)).collect();
    let is_page = |path: &&Path| !path.ends_with("SUMMARY.md");
    for path in files_below(&docs, ".md").iter().map(PathBuf::as_path).filter(is_page) {
        assert!(listed.contains(path), "{} is not in docs/SUMMARY.md", path.display());
    }
}

#[test]
fn every_crate_is_in_the_table_of_architecture() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() > 10, "{members:?}");
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for member in members {
        let known = [format!("`{member}`"), format!("`{member}/`")].iter().any(|name| text.contains(name));
        assert!(known, "{member} has no row in ARCHITECTURE.md");
    }
}

#[test]
fn every_dependency_has_a_row_that_says_why_it_is_there() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let foreign = section.lines().filter(|line| !line.starts_with('#') && !line.contains("path ="));
    let table = std::fs::read_to_string(root().join("docs/decisions/dependencies.md")).unwrap();
    let mut checked = 0;
    for name in foreign.filter_map(|line| line.split_once(" =")).map(|(name, _)| name) {
        assert!(table.contains(&format!("`{name}`")), "{name} has no row in docs/decisions/dependencies.md");
        checked += 1;
    }
    assert!(checked > 30, "only {checked} dependencies were found");
}
