//! The reference pages: each is generated from what the program itself uses, and kept as a golden
//! file.

mod errors;
mod graphql;
mod http;
mod workflow;

use access::table::{Extent, extent, is_public};
use access::{Operation, Role};

use super::root;

/// Checks that a page of the reference is what was generated, or writes it.
fn golden(page: &str, generated: &str) {
    let path = root().join("docs/reference").join(page);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, generated).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(known == generated, "docs/reference/{page} is not what is generated; run this test with UPDATE_GOLDEN=1");
}

/// A row of a table.
fn row<const N: usize>(cells: [&str; N]) -> String {
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}

/// The head of a table.
fn head<const N: usize>(cells: [&str; N]) -> String {
    format!("{}|{}\n", row(cells), "---|".repeat(N))
}

/// A text in a code span; nothing for no text.
fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

/// The roles that may do this. `(own)`: with what is its own.
fn roles(operation: Operation) -> String {
    if is_public(operation) {
        return "no credentials".to_owned();
    }
    let roles = ["shop", "participant:NAME", "viewer", "operator", "auditor", "author", "admin"];
    let allowed = roles.iter().filter_map(|name| {
        let role: Role = name.parse().unwrap();
        match extent(operation, &role) {
            Extent::Everything => Some(role.kind().to_owned()),
            Extent::Own => Some(format!("{} (own)", role.kind())),
            Extent::Nothing => None,
        }
    });
    allowed.collect::<Vec<_>>().join(", ")
}
