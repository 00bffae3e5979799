//! The table, as the book has it, where people and the end-to-end tests read it.

use std::fmt::Write;
use std::path::Path;

use crate::Role;
use crate::routes::{FIELDS, ROUTES};
use crate::table::{Extent, extent, is_public};

const ROLES: [&str; 7] = ["shop", "participant:NAME", "viewer", "operator", "auditor", "author", "admin"];

fn rendered() -> String {
    let mut text = format!("| route or field | {} |\n|---{}|\n", ROLES.join(" | "), "|---".repeat(ROLES.len()));
    let routes = ROUTES.iter().map(|(method, path, operation)| (format!("{method} {path}"), *operation));
    let fields = FIELDS.iter().map(|(kind, name, operation)| (format!("{kind}.{name}"), *operation));
    for (what, operation) in routes.chain(fields) {
        let cells = ROLES.map(|role| {
            let role: Role = role.parse().unwrap();
            match extent(operation, &role) {
                _ if is_public(operation) => "public",
                Extent::Everything => "yes",
                Extent::Own => "own",
                Extent::Nothing => "–",
            }
        });
        writeln!(text, "| `{what}` | {} |", cells.join(" | ")).unwrap();
    }
    text
}

#[test]
fn the_table_is_the_golden_one() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/platform/access.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let begin = text.find("| route or field").expect("the page has the table");
    let end = begin + text[begin..].find("\n\n").expect("text follows the table") + 1;
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&page, format!("{}{}{}", &text[..begin], rendered(), &text[end..])).unwrap();
    } else {
        let known = &text[begin..end];
        assert!(known == rendered(), "the table changed; if that is meant, run this test with UPDATE_GOLDEN=1");
    }
}
