//! The source files that ship, and the paths that they use. Code that only tests have is left out,
//! wherever it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, ItemMod, ItemUse, Meta, Token, UseTree};

/// A source file that ships.
pub struct Product {
    pub path: PathBuf,
    /// Its code.
    pub code: File,
    /// Each path that its code names, such as `std::fs::read`, and each that it imports.
    paths: BTreeSet<String>,
}

impl Product {
    /// Whether its code names this path or one below it.
    pub fn uses(&self, path: &str) -> bool {
        let under =
            |used: &String| used.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
        self.paths.iter().any(under)
    }
}

/// The files of a crate, from the root of its sources on.
pub fn product_of(sources: &Path) -> Vec<Product> {
    let mut found = Vec::new();
    for name in ["lib.rs", "main.rs"] {
        let path = sources.join(name);
        if path.exists() {
            add(&path, sources, &mut found);
        }
    }
    found
}

/// Adds a file, and the files of its modules, which are in this folder.
fn add(path: &Path, modules: &Path, found: &mut Vec<Product>) {
    let text = fs::read_to_string(path).unwrap();
    let file: File = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut used = Used::default();
    used.visit_file(&file);
    let elsewhere: Vec<String> = file.items.iter().filter_map(module_elsewhere).collect();
    found.push(Product { path: path.to_owned(), code: file, paths: used.paths });
    for name in elsewhere {
        let (flat, folder) = (modules.join(format!("{name}.rs")), modules.join(&name));
        let path = if flat.exists() { flat } else { folder.join("mod.rs") };
        add(&path, &folder, found);
    }
}

/// The name of a module that ships and has its own file, if the item is one.
fn module_elsewhere(item: &Item) -> Option<String> {
    let Item::Mod(module @ ItemMod { content: None, .. }) = item else { return None };
    (!is_for_tests(&module.attrs)).then(|| module.ident.to_string())
}

/// Whether only tests have what bears these attributes.
pub fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("cfg") && attribute.parse_args().is_ok_and(|meta| needs_test(&meta)))
}

/// Whether a condition needs `test`: it is `test`, or an `all(…)` with such a condition.
fn needs_test(condition: &Meta) -> bool {
    match condition {
        Meta::List(list) if list.path.is_ident("all") => {
            let conditions = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            conditions.is_ok_and(|conditions| conditions.iter().any(needs_test))
        }
        condition => condition.path().is_ident("test"),
    }
}

#[derive(Default)]
struct Used {
    paths: BTreeSet<String>,
}

impl Used {
    fn import(&mut self, prefix: &str, tree: &UseTree) {
        let under = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") };
        match tree {
            UseTree::Path(path) => self.import(&under(&path.ident.to_string()), &path.tree),
            UseTree::Name(name) => drop(self.paths.insert(under(&name.ident.to_string()))),
            UseTree::Rename(name) => drop(self.paths.insert(under(&name.ident.to_string()))),
            UseTree::Glob(_) => drop(self.paths.insert(prefix.to_owned())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(prefix, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Used {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests_item(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.import("", &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.paths.insert(names.join("::"));
        visit::visit_path(self, path);
    }
}

/// Whether only tests have an item.
pub fn is_for_tests_item(item: &Item) -> bool {
    item_attributes(item).is_some_and(is_for_tests)
}

fn item_attributes(item: &Item) -> Option<&[Attribute]> {
    Some(match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => return None,
    })
}
