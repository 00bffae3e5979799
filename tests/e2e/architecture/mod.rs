//! The rules on dependencies in ARCHITECTURE.md, enforced over every source file that ships.

mod circles;
mod events;
mod product;
mod statements;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use product::{Product, product_of};

/// The folder of each crate, and the workspace's crates that it may use. Dependencies point inward.
/// The root knows all.
const ALLOWED: [(&str, &[&str]); 40] = [
    ("domain", &[]),
    (
        "command-handler",
        &[
            "access",
            "back-off",
            "domain",
            "event-store",
            "order-stream",
            "leader-consumer",
            "http-client",
            "http-problem",
            "http-request",
            "live",
            "metrics",
            "secrets",
            "signing",
            "views",
        ],
    ),
    ("projector", &["domain", "error-causes", "event-store", "order-stream", "leader-consumer", "metrics", "views"]),
    ("query-api", &["access", "domain", "event-store", "order-stream", "http-problem", "live", "metrics", "views"]),
    ("crates/accept-loop", &[]),
    ("crates/access", &["live"]),
    (
        "crates/audit",
        &[
            "access",
            "command-line",
            "domain",
            "error-causes",
            "event-store",
            "event-store-node",
            "http-problem",
            "leader-consumer",
            "order-stream",
            "projector",
            "secrets",
            "servers",
            "views",
        ],
    ),
    ("crates/authentication", &["access", "http-client", "live", "secrets", "views"]),
    ("crates/back-off", &[]),
    ("crates/cli", &["back-off", "command-line", "domain", "http-client", "secrets"]),
    ("crates/command-line", &["domain", "live"]),
    ("crates/configuration", &["command-line", "live", "secrets"]),
    (
        "crates/doctor",
        &[
            "access",
            "authentication",
            "command-handler",
            "command-line",
            "configuration",
            "domain",
            "event-store",
            "event-store-node",
            "http-client",
            "http-server",
            "secrets",
            "servers",
            "tls",
            "views",
        ],
    ),
    ("crates/error-causes", &[]),
    ("crates/event-store", &["back-off", "event-store-protocol", "tls"]),
    ("crates/event-store-node", &["accept-loop", "access", "event-store", "event-store-protocol", "metrics", "tls"]),
    ("crates/event-store-protocol", &[]),
    ("crates/forward", &["access", "domain", "error-causes", "http-client", "http-problem"]),
    ("crates/http-client", &["live", "tls"]),
    ("crates/http-problem", &["domain"]),
    ("crates/http-request", &["domain", "http-problem"]),
    ("crates/http-server", &["accept-loop", "access", "http-problem", "live", "metrics", "tls"]),
    (
        "crates/lab",
        &["access", "command-line", "domain", "event-store", "http-problem", "http-request", "order-stream", "servers"],
    ),
    ("crates/leader-consumer", &["back-off", "event-store", "metrics"]),
    ("crates/live", &[]),
    (
        "crates/maintenance",
        &[
            "access",
            "audit",
            "command-handler",
            "command-line",
            "domain",
            "event-store",
            "event-store-node",
            "leader-consumer",
            "participants",
            "postgres-cluster",
            "projector",
            "secrets",
            "servers",
            "views",
        ],
    ),
    ("crates/metrics", &[]),
    (
        "crates/participants",
        &["back-off", "domain", "event-store", "leader-consumer", "http-client", "http-problem", "signing"],
    ),
    ("crates/order-stream", &["domain", "event-store"]),
    ("crates/postgres-cluster", &["http-client"]),
    (
        "crates/probes",
        &[
            "command-handler",
            "event-store",
            "http-server",
            "leader-consumer",
            "metrics",
            "projector",
            "query-api",
            "supervisor",
            "traces",
            "views",
        ],
    ),
    ("crates/secrets", &[]),
    ("crates/servers", &["command-line", "domain", "event-store", "event-store-node", "secrets", "tls", "views"]),
    ("crates/service-manager", &["http-server"]),
    ("crates/signals", &["command-line", "configuration", "error-causes", "live", "metrics", "service-manager"]),
    ("crates/signing", &[]),
    ("crates/supervisor", &["back-off", "error-causes", "metrics"]),
    ("crates/tls", &["live"]),
    (
        "crates/traces",
        &[
            "back-off",
            "command-line",
            "domain",
            "event-store",
            "http-client",
            "metrics",
            "order-stream",
            "projector",
            "servers",
            "tls",
        ],
    ),
    ("crates/views", &["back-off", "domain", "event-store", "leader-consumer", "metrics"]),
];

/// What a pure crate does not use: the outside world, and anything that waits.
const IO: [&str; 6] = ["std::fs", "std::net", "std::env", "std::process", "std::thread", "tokio"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn name_of(folder: &str) -> &str {
    folder.rsplit('/').next().unwrap_or(folder)
}

/// The names in the `[dependencies]` of a manifest: what ships, and not what only its tests use.
fn dependencies(manifest: &Path) -> Vec<String> {
    let text = fs::read_to_string(manifest).unwrap();
    let section = text.split("\n[").find(|section| section.starts_with("dependencies]")).unwrap_or_default();
    let name = |line: &str| line.split(['.', ' ', '=']).next().map(str::to_owned);
    section.lines().skip(1).filter(|line| !line.trim().is_empty() && !line.starts_with('#')).filter_map(name).collect()
}

/// The source files of a crate that ship. An empty list fails: a test that saw nothing proves
/// nothing.
fn product(folder: &str) -> Vec<Product> {
    let product = product_of(&root().join(folder).join("src"));
    assert!(!product.is_empty(), "{folder} has no source files");
    product
}

#[test]
fn dependencies_point_inward() {
    let ours = ALLOWED.map(|(folder, _)| name_of(folder));
    for (folder, allowed) in ALLOWED {
        let used = dependencies(&root().join(folder).join("Cargo.toml"));
        assert!(!used.is_empty() || allowed.is_empty(), "{folder} has dependencies to check");
        for dependency in used.iter().filter(|used| ours.contains(&used.as_str())) {
            assert!(allowed.contains(&dependency.as_str()), "{folder} must not use {dependency}");
        }
    }
}

/// The most lines that the sources of the binary may have, without tests.
const MAX_LINES_OF_THE_BINARY: usize = 1_800;

#[test]
fn the_binary_holds_only_roles_wiring_and_life_cycle() {
    let lines = |file: &Product| {
        let text = fs::read_to_string(&file.path).unwrap();
        text.lines().take_while(|line| *line != "#[cfg(test)]").count()
    };
    let lines: usize = product(".").iter().map(lines).sum();
    assert!((500..=MAX_LINES_OF_THE_BINARY).contains(&lines), "src has {lines} lines: move what is not wiring");
}

#[test]
fn every_crate_is_in_the_table() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
    let members: Vec<&str> = members.split(',').map(|member| member.trim().trim_matches('"')).collect();
    let table: BTreeMap<&str, &[&str]> = ALLOWED.into();
    for member in members.iter().filter(|member| !member.is_empty()) {
        assert!(table.contains_key(member), "{member} has no line in the table of allowed dependencies");
    }
    assert!(table.keys().all(|folder| members.contains(folder)), "each line is a member of the workspace");
}

#[test]
fn only_tests_use_the_second_client() {
    for folder in ALLOWED.map(|(folder, _)| folder).into_iter().chain(["."]) {
        let used = dependencies(&root().join(folder).join("Cargo.toml"));
        assert!(!used.contains(&"eventstore".to_owned()), "{folder} ships eventstore");
        for file in product(folder) {
            assert!(!file.uses("eventstore"), "{} uses eventstore", file.path.display());
        }
    }
}

#[test]
fn the_domain_does_no_io() {
    for file in product("domain") {
        for forbidden in IO {
            assert!(!file.uses(forbidden), "{} uses {forbidden}", file.path.display());
        }
    }
}

#[test]
fn code_for_tests_is_distinguished_from_code_that_ships() {
    let own = product("query-api");
    let has = |name: &str| own.iter().any(|file| file.path.ends_with(name));
    assert!(has("src/lib.rs") && has("src/document/mod.rs"));
    assert!(!has("src/document/tests.rs"), "a module that only tests have does not ship");
    // A name does not decide: this file compares past orders, and ships.
    assert!(product("domain").iter().any(|file| file.path.ends_with("src/backtest/mod.rs")));
}
