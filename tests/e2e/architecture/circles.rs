//! No circle of imports: a reader can take the files of a crate one after the other.
//!
//! A file depends on the files that define the items that its code names. A path through a parent
//! that re-exports an item leads to the file that defines the item. So a parent that declares and
//! re-exports its children depends on none of them. A child depends on its parent if it uses an
//! item that the parent itself defines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};
use syn::{File, ImplItemFn, Item, ItemMod, ItemUse, Macro, UseTree, Visibility};

use super::product::{is_for_tests, is_for_tests_item};
use super::{ALLOWED, product, root};

/// Files of one folder that import each other, because they are one idea: why, and which files.
const ONE_IDEA: [(&str, &[&str]); 0] = [];

/// How many re-exports a path may lead through.
const MAX_HOPS: usize = 16;

/// A module: a file, or a module that is written out within a file.
#[derive(Default)]
struct Module {
    file: usize,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    defined: BTreeSet<String>,
    imports: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
}

/// What a path leads to.
#[derive(Clone, Copy)]
enum Target {
    Module(usize),
    /// An item that this file defines.
    Item(usize),
}

/// The modules of one crate; the first is its root.
struct Modules(Vec<Module>);

impl Modules {
    fn of(files: &[(Vec<String>, File)]) -> Self {
        let mut modules = Self(Vec::new());
        for (file, (path, code)) in files.iter().enumerate() {
            // A parent stands before its children.
            let parent = path.split_last().map(|(name, above)| (name, modules.at(above)));
            let module = modules.add(file, parent.map(|(_, parent)| parent));
            if let Some((name, parent)) = parent {
                modules.0[parent].children.insert(name.clone(), module);
            }
            modules.declare(module, &code.items);
        }
        modules
    }

    fn at(&self, path: &[String]) -> usize {
        path.iter().fold(0, |module, name| self.0[module].children[name])
    }

    fn add(&mut self, file: usize, parent: Option<usize>) -> usize {
        self.0.push(Module { file, parent, ..Module::default() });
        self.0.len() - 1
    }

    /// Adds the names that these items give to a module.
    fn declare(&mut self, module: usize, items: &[Item]) {
        for item in items.iter().filter(|item| !is_for_tests_item(item)) {
            match item {
                Item::Mod(ItemMod { content: Some((_, items)), ident, .. }) => {
                    let child = self.add(self.0[module].file, Some(module));
                    self.0[module].children.insert(ident.to_string(), child);
                    self.declare(child, items);
                }
                Item::Use(item) => self.import(module, &item.tree),
                item => self.0[module].defined.extend(name_of_item(item)),
            }
        }
    }

    fn import(&mut self, module: usize, tree: &UseTree) {
        for import in imports_of(tree) {
            match import.name {
                Some(name) => drop(self.0[module].imports.insert(name, import.path)),
                None => self.0[module].globs.push(import.path),
            }
        }
    }

    fn resolve(&self, from: usize, path: &[String], hops: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let first = match first.as_str() {
            "crate" => Some(Target::Module(0)),
            "self" => Some(Target::Module(from)),
            "super" => self.0[from].parent.map(Target::Module),
            name => self.look_up(from, name, hops),
        };
        rest.iter().try_fold(first?, |target, name| match (target, name.as_str()) {
            (Target::Module(module), "super") => self.0[module].parent.map(Target::Module),
            (Target::Module(module), "self") => Some(Target::Module(module)),
            (Target::Module(module), name) => self.look_up(module, name, hops),
            // A variant, or an associated item.
            (Target::Item(_), _) => Some(target),
        })
    }

    fn look_up(&self, module: usize, name: &str, hops: usize) -> Option<Target> {
        let (own, hops) = (&self.0[module], hops.checked_sub(1)?);
        if let Some(child) = own.children.get(name) {
            return Some(Target::Module(*child));
        }
        if own.defined.contains(name) {
            return Some(Target::Item(own.file));
        }
        // An import may bear the name of the crate or module that it begins with.
        let import = own.imports.get(name).filter(|path| path[0] != name);
        import.and_then(|path| self.resolve(module, path, hops)).or_else(|| {
            let mut globs = own.globs.iter().filter_map(|glob| self.resolve(module, glob, hops));
            globs.find_map(|target| match target {
                Target::Module(other) if other != module => self.look_up(other, name, hops),
                Target::Module(_) | Target::Item(_) => None,
            })
        })
    }
}

fn name_of_item(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::TraitAlias(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        _ => return None,
    })
}

/// One path of a `use`, and the name that it gets; a glob gets none.
struct Import {
    path: Vec<String>,
    name: Option<String>,
}

fn imports_of(tree: &UseTree) -> Vec<Import> {
    let (mut found, mut open) = (Vec::new(), vec![(Vec::new(), tree)]);
    while let Some((mut path, tree)) = open.pop() {
        let import = match tree {
            UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                open.push((path, &tree.tree));
                continue;
            }
            UseTree::Group(tree) => {
                open.extend(tree.items.iter().map(|tree| (path.clone(), tree)));
                continue;
            }
            UseTree::Glob(_) => Import { path, name: None },
            UseTree::Name(tree) if tree.ident == "self" => Import { name: path.last().cloned(), path },
            UseTree::Name(tree) => {
                path.push(tree.ident.to_string());
                Import { path, name: Some(tree.ident.to_string()) }
            }
            UseTree::Rename(tree) => {
                path.extend((tree.ident != "self").then(|| tree.ident.to_string()));
                Import { path, name: Some(tree.rename.to_string()) }
            }
        };
        found.push(import);
    }
    found
}

/// The files that a file uses, each with the paths that name its items.
type UsedFiles = BTreeMap<usize, BTreeSet<String>>;

/// The files that the code of a module uses.
struct Uses<'a> {
    modules: &'a Modules,
    module: usize,
    files: UsedFiles,
}

impl Uses<'_> {
    fn path(&mut self, path: &[String]) {
        if let Some(Target::Item(file)) = self.modules.resolve(self.module, path, MAX_HOPS) {
            self.files.entry(file).or_default().insert(path.join("::"));
        }
    }

    /// The paths among the arguments of a macro.
    fn tokens(&mut self, mut cursor: Cursor<'_>) {
        let (mut path, mut colons) = (Vec::new(), 0);
        while !cursor.eof() {
            if let Some((name, rest)) = cursor.ident() {
                if colons != 2 {
                    self.path(&std::mem::take(&mut path));
                }
                path.push(name.to_string());
                (colons, cursor) = (0, rest);
            } else if let Some((_, rest)) = cursor.punct().filter(|(sign, _)| sign.as_char() == ':') {
                (colons, cursor) = (colons + 1, rest);
            } else {
                self.path(&std::mem::take(&mut path));
                if let Some((within, ..)) = cursor.any_group() {
                    self.tokens(within);
                }
                (colons, cursor) = (0, cursor.token_tree().map_or(cursor, |(_, rest)| rest));
            }
        }
        self.path(&path);
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests_item(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let within = self.modules.0[self.module].children[&item.ident.to_string()];
        let before = std::mem::replace(&mut self.module, within);
        visit::visit_item_mod(self, item);
        self.module = before;
    }

    /// A module that re-exports from its children does not use what it re-exports.
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        for Import { path, .. } in imports_of(&item.tree) {
            let first = path.first().filter(|name| *name != "self").or(path.get(1));
            let from_a_child = first.is_some_and(|name| self.modules.0[self.module].children.contains_key(name));
            if matches!(item.vis, Visibility::Inherited) || !from_a_child {
                self.path(&path);
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.path(&names);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.tokens(TokenBuffer::new2(called.tokens.clone()).begin());
        visit::visit_macro(self, called);
    }
}

/// For each file of a crate, the files that it uses.
fn uses_of(files: &[(Vec<String>, File)]) -> Vec<UsedFiles> {
    let modules = Modules::of(files);
    let of = |(index, (path, code)): (usize, &(Vec<String>, File))| {
        let mut uses = Uses { modules: &modules, module: modules.at(path), files: UsedFiles::new() };
        uses.visit_file(code);
        uses.files.remove(&index);
        uses.files
    };
    files.iter().enumerate().map(of).collect()
}

/// The groups of files that lead to one another.
fn circles(uses: &[UsedFiles]) -> Vec<BTreeSet<usize>> {
    let reached = |from: usize| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(file) = open.pop() {
            open.extend(uses[file].keys().filter(|next| reached.insert(**next)));
        }
        reached
    };
    let all: Vec<BTreeSet<usize>> = (0..uses.len()).map(reached).collect();
    let circle = |file: usize| -> BTreeSet<usize> {
        all[file].iter().copied().filter(|other| all[*other].contains(&file)).collect()
    };
    (0..uses.len()).map(circle).filter(|circle| !circle.is_empty()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The path of the module that a file is, such as `["order", "decide"]`.
fn module_path(sources: &Path, file: &Path) -> Vec<String> {
    let within = file.strip_prefix(sources).unwrap().with_extension("");
    let mut names: Vec<String> = within.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.len() == 1 && ["lib", "main"].contains(&names[0].as_str())
        || names.last().is_some_and(|name| name == "mod")
    {
        names.pop();
    }
    names
}

/// A circle: its files, and each use of one by another.
struct Circle {
    files: Vec<PathBuf>,
    uses: String,
}

/// The circles of a crate.
fn circles_of(folder: &str) -> Vec<Circle> {
    let sources = root().join(folder).join("src");
    let named = |path: &Path| path.strip_prefix(root()).unwrap().to_owned();
    let (paths, files): (Vec<PathBuf>, Vec<_>) = product(folder)
        .into_iter()
        .map(|file| (named(&file.path), (module_path(&sources, &file.path), file.code)))
        .unzip();
    let uses = uses_of(&files);
    let shown = |circle: BTreeSet<usize>| {
        let mut text = String::new();
        for file in &circle {
            for (used, by) in uses[*file].iter().filter(|(used, _)| circle.contains(used)) {
                writeln!(text, "  {} uses {by:?} of {}", paths[*file].display(), paths[*used].display()).unwrap();
            }
        }
        Circle { files: circle.iter().map(|file| paths[*file].clone()).collect(), uses: text }
    };
    circles(&uses).into_iter().map(shown).collect()
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let (mut found, mut allowed) = (Vec::new(), BTreeSet::new());
    for folder in ALLOWED.map(|(folder, _)| folder).into_iter().chain(["."]) {
        for circle in circles_of(folder) {
            let files: Vec<&str> = circle.files.iter().map(|path| path.to_str().unwrap()).collect();
            let folders: BTreeSet<_> = circle.files.iter().map(|path| path.parent()).collect();
            let reason = ONE_IDEA.iter().find(|(_, allowed)| *allowed == files).filter(|_| folders.len() == 1);
            if let Some((reason, _)) = reason {
                allowed.insert(*reason);
            } else {
                found.push(circle.uses);
            }
        }
    }
    assert!(found.is_empty(), "{} circles of imports:\n{}", found.len(), found.join("\n"));
    assert_eq!(allowed.len(), ONE_IDEA.len(), "each exception is still a circle, and has a reason: {allowed:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles_in(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let parsed = files.iter().map(|(path, code)| {
            let names = path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            (names, syn::parse_file(code).unwrap())
        });
        let parsed: Vec<_> = parsed.collect();
        let name = |file: usize| files[file].0.to_owned();
        circles(&uses_of(&parsed)).into_iter().map(|circle| circle.into_iter().map(name).collect()).collect()
    }

    #[test]
    fn two_files_that_use_items_of_each_other_are_a_circle_in_each_form() {
        for code in [
            "use crate::b::B;",
            "use super::b::{self, B};",
            "use super::b; fn f(x: b::B) {}",
            "fn f() { crate::b::B::new(); }",
            "fn f() { g!(\"text\", 1 => crate::b::B); }",
            "use super::b::*; fn f(x: B) {}",
            "use super::Again;",
            "impl super::b::B {}",
            "fn f() { use super::b::B as C; }",
        ] {
            let root = "mod a; mod b; pub use b::B as Again;";
            let files = [("", root), ("a", &format!("pub struct A; {code}")), ("b", "use super::a::A; pub struct B;")];
            assert_eq!(circles_in(&files), [["a", "b"]], "{code}");
        }
    }

    #[test]
    fn a_parent_that_declares_and_re_exports_its_children_is_no_circle() {
        let children = |parent: &str, child: &str| circles_in(&[("", parent), ("a", child), ("b", "pub struct B;")]);
        assert!(children("mod a; mod b; pub use a::A; pub(crate) use b::B;", "use super::B; pub struct A;").is_empty());
        assert!(children("mod a; mod b; use a::A; fn f(a: A) {}", "use super::b::B; pub struct A;").is_empty());
        // A child that uses what its parent defines, and a parent that uses the child.
        let circle = children("mod a; mod b; use a::A; pub struct Top;", "use super::Top; pub struct A;");
        assert_eq!(circle, [["", "a"]]);
        let over_three = circles_in(&[
            ("", "mod a; mod b;"),
            ("a", "use crate::b::f;"),
            ("b", "mod c; pub use c::D; pub fn f() {}"),
            ("b/c", "pub struct D; #[cfg(test)] mod tests { use crate::a; } fn g() { crate::a::x() }"),
        ]);
        assert!(over_three.is_empty(), "{over_three:?}: nothing leads from the folder's own items to its child");
    }

    #[test]
    fn what_only_tests_use_and_what_another_crate_has_is_no_circle() {
        let only = |code: &str| circles_in(&[("", "mod a; mod b;"), ("a", code), ("b", "use crate::a::A;")]);
        assert!(only("pub struct A; #[cfg(test)] use crate::b::B;").is_empty());
        assert!(only("pub struct A; impl A { #[cfg(test)] fn f() { crate::b::f() } }").is_empty());
        assert!(only("pub struct A; use b::B; use std::b;").is_empty());
    }
}
