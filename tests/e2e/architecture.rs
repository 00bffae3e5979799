//! What ARCHITECTURE.md says of dependencies, enforced.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which crates of ours each crate may use. Dependencies point inward; the root knows all.
const ALLOWED: [(&str, &[&str]); 9] = [
    ("domain", &[]),
    ("event-store", &[]),
    ("postgres-cluster", &[]),
    ("http-client", &[]),
    ("follower", &["event-store"]),
    ("participants", &["domain", "event-store", "follower", "http-client"]),
    ("command-handler", &["domain", "event-store", "follower", "http-client"]),
    ("projector", &["domain", "event-store", "follower"]),
    ("query-api", &["domain", "event-store"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The names in the `[dependencies]` of a manifest: what ships, as against what its tests use.
fn dependencies(manifest: &Path) -> Vec<String> {
    let text = fs::read_to_string(manifest).unwrap();
    let section = text.split("\n[").find(|section| section.starts_with("dependencies]")).unwrap_or_default();
    let name = |line: &str| line.split(['.', ' ', '=']).next().map(str::to_owned);
    section.lines().skip(1).filter(|line| !line.trim().is_empty() && !line.starts_with('#')).filter_map(name).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn dependencies_point_inward() {
    let ours: Vec<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    for (name, allowed) in ALLOWED {
        let used = dependencies(&root().join(name).join("Cargo.toml"));
        assert!(!used.is_empty(), "{name} has dependencies to look at");
        for dependency in used.iter().filter(|used| ours.contains(&used.as_str())) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not use {dependency}");
        }
    }
}

#[test]
fn every_crate_is_in_the_table() {
    let members: Vec<String> = fs::read_dir(root())
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            path.join("Cargo.toml").exists().then(|| path.file_name().unwrap().to_str().unwrap().to_owned())
        })
        .collect();
    let table: BTreeMap<&str, &[&str]> = ALLOWED.into();
    assert!(members.len() >= table.len());
    for member in members {
        assert!(table.contains_key(member.as_str()), "{member} has no line in the table of allowed dependencies");
    }
}

#[test]
fn only_tests_use_the_suites_second_client() {
    assert!(!dependencies(&root().join("Cargo.toml")).contains(&"eventstore".to_owned()));
    for name in ALLOWED.map(|(name, _)| name) {
        let used = dependencies(&root().join(name).join("Cargo.toml"));
        assert!(!used.contains(&"eventstore".to_owned()), "{name} ships eventstore");
        for file in sources(&root().join(name).join("src")) {
            let imports = fs::read_to_string(&file).unwrap().contains("eventstore::");
            assert!(!imports, "{} imports eventstore", file.display());
        }
    }
}

#[test]
fn the_domain_does_no_io() {
    for file in sources(&root().join("domain/src")) {
        let text = fs::read_to_string(&file).unwrap();
        let production = text.split("#[cfg(test)]").next().unwrap_or_default();
        let is_test = file.to_str().is_some_and(|path| path.contains("test"));
        for forbidden in ["std::fs", "std::net", "std::env::", "std::process", "std::thread", "tokio"] {
            assert!(is_test || !production.contains(forbidden), "{} uses {forbidden}", file.display());
        }
    }
}
