//! Where SQL may be: only `views` has SQL on the views, and other crates only on their own tables.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use syn::parse::{Parse, ParseStream};
use syn::token::{Brace, Bracket, Paren};
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, LitStr, Macro};

use super::product::is_for_tests_item;
use super::{ALLOWED, product, root};

/// The crates with statements: on the views, on their own tables, and on tables that callers name.
const WITH_STATEMENTS: [&str; 4] =
    ["crates/views", "crates/participants", "crates/leader-consumer", "crates/postgres-cluster"];

/// The functions and macros that make a statement.
const MAKERS: [&str; 7] = [
    "sqlx::query",
    "sqlx::query_as",
    "sqlx::query_scalar",
    "sqlx::query_builder",
    "sqlx::QueryBuilder",
    "sqlx::raw_sql",
    "sqlx::AssertSqlSafe",
];

/// The SQL keywords that precede a table's name.
const BEFORE_A_TABLE: [&str; 6] = ["FROM", "JOIN", "INTO", "UPDATE", "TABLE", "VACUUM"];

/// The tables of the views, from their migrations.
fn tables() -> BTreeSet<String> {
    let folder = root().join("crates/views/migrations");
    let mut tables = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let words: Vec<&str> = text.split_whitespace().collect();
        for pair in words.windows(3) {
            if pair[0] == "CREATE" && ["TABLE", "VIEW"].contains(&pair[1]) {
                tables.insert(pair[2].to_owned());
            }
            if pair[0] == "UNLOGGED" {
                tables.insert(pair[2].to_owned());
            }
        }
    }
    assert!(tables.len() > 10, "the migrations make tables: {tables:?}");
    tables
}

/// The channels of the views.
fn channels() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("crates/views/src/channels.rs")).unwrap();
    let channels: BTreeSet<String> = texts_in(&text).into_iter().collect();
    assert!(channels.len() > 1, "there are channels: {channels:?}");
    channels
}

#[derive(Default)]
struct Texts(Vec<String>);

impl<'ast> Visit<'ast> for Texts {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests_item(item) {
            visit::visit_item(self, item);
        }
    }

    /// A doc comment is no statement.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_lit_str(&mut self, text: &'ast LitStr) {
        self.0.push(text.value());
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        if let Ok(Self(texts)) = syn::parse2(called.tokens.clone()) {
            self.0.extend(texts);
        }
    }
}

/// The texts among the tokens of a macro's arguments.
impl Parse for Texts {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut texts = Self::default();
        while !input.is_empty() {
            let within;
            if input.peek(LitStr) {
                texts.0.push(input.parse::<LitStr>()?.value());
                continue;
            } else if input.peek(Paren) {
                syn::parenthesized!(within in input);
            } else if input.peek(Brace) {
                syn::braced!(within in input);
            } else if input.peek(Bracket) {
                syn::bracketed!(within in input);
            } else {
                input.step(|cursor| cursor.token_tree().map(|(_, rest)| ((), rest)).ok_or_else(|| cursor.error("")))?;
                continue;
            }
            texts.0.extend(within.call(Self::parse)?.0);
        }
        Ok(texts)
    }
}

/// The texts of a source file that ship.
fn texts_in(source: &str) -> Vec<String> {
    let file: File = syn::parse_file(source).unwrap();
    let mut texts = Texts::default();
    texts.visit_file(&file);
    texts.0
}

fn texts_of(path: &Path) -> Vec<String> {
    texts_in(&fs::read_to_string(path).unwrap())
}

/// The table, one of these, on which a text is a statement.
fn statement_on<'a>(text: &str, tables: &'a BTreeSet<String>) -> Option<&'a String> {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || "(),;\"".contains(c)).filter(|word| !word.is_empty()).collect();
    words.windows(2).filter(|pair| BEFORE_A_TABLE.contains(&pair[0])).find_map(|pair| tables.get(pair[1]))
}

/// Whether a text has a placeholder of a parameter above `$9`.
fn has_many_parameters(text: &str) -> bool {
    text.split('$').skip(1).any(|after| after.chars().take_while(char::is_ascii_digit).count() > 1)
}

fn every_crate_but_views() -> impl Iterator<Item = &'static str> {
    ALLOWED.map(|(folder, _)| folder).into_iter().chain(["."]).filter(|folder| *folder != "crates/views")
}

#[test]
fn a_statement_on_a_view_is_distinguished_from_other_texts() {
    let tables = BTreeSet::from(["orders".to_owned()]);
    for statement in
        ["SELECT id FROM orders", "UPDATE orders SET a = 1", "x JOIN orders USING (id)", "FROM orders, steps"]
    {
        assert!(statement_on(statement, &tables).is_some(), "{statement}");
    }
    for other in ["orders", "read from orders", "FROM participant_orders.orders", "INSERT INTO orders_of_others"] {
        assert!(statement_on(other, &tables).is_none(), "{other}");
    }
    let source = "/// FROM a\nfn f() { g(\"one\"); format!(\"two {}\", h!([\"three\"])); } #[cfg(test)] mod tests { const X: &str = \"no\"; }";
    assert_eq!(texts_in(source), ["one", "two {}", "three"]);
}

#[test]
fn no_crate_but_views_has_a_statement_on_a_view() {
    let tables = tables();
    for folder in every_crate_but_views() {
        for file in product(folder) {
            for text in texts_of(&file.path) {
                let table = statement_on(&text, &tables);
                assert!(table.is_none(), "{} has a statement on {table:?}: {text}", file.path.display());
            }
        }
    }
}

#[test]
fn statements_are_made_only_where_tables_are_owned() {
    for folder in every_crate_but_views().filter(|folder| !WITH_STATEMENTS.contains(folder)) {
        for file in product(folder) {
            for maker in MAKERS {
                assert!(
                    !file.uses(maker),
                    "{} uses {maker}: statements on the views belong to `views`",
                    file.path.display()
                );
            }
        }
    }
    let own = product("crates/views");
    assert!(MAKERS.iter().any(|maker| own.iter().any(|file| file.uses(maker))), "the views have statements");
}

#[test]
fn no_crate_but_views_has_the_name_of_a_channel() {
    let channels = channels();
    for folder in every_crate_but_views() {
        for file in product(folder) {
            for text in texts_of(&file.path) {
                let named = channels.iter().find(|channel| text.contains(channel.as_str()));
                assert!(named.is_none(), "{} names the channel {named:?}", file.path.display());
            }
        }
    }
}

#[test]
fn no_statement_has_so_many_parameters_that_their_places_are_counted_by_hand() {
    assert!(has_many_parameters("VALUES ($1, $10)") && !has_many_parameters("VALUES ($1, $9), 100 $ or 10$"));
    for folder in every_crate_but_views().chain(["crates/views"]) {
        for file in product(folder) {
            for text in texts_of(&file.path) {
                assert!(
                    !has_many_parameters(&text),
                    "{}: give each parameter its place where it is bound (`views::writer::parameters`): {text}",
                    file.path.display()
                );
            }
        }
    }
}
