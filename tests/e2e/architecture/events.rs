//! No wildcard arm over events: code that distinguishes events names those that it ignores, so that
//! each new event needs a decision at each of these places.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{ExprMatch, File, Item, ItemImpl, Pat, Path, Signature};

use super::product::is_for_tests_item;
use super::{ALLOWED, product};

/// The names of the events of an order.
fn events() -> BTreeSet<String> {
    let domain = product("domain");
    let file = domain.iter().find(|file| file.path.ends_with("order/event/mod.rs")).unwrap();
    let variants = file.code.items.iter().find_map(|item| match item {
        Item::Enum(item) if item.ident == "Event" => Some(item.variants.iter()),
        _ => None,
    });
    variants.unwrap().map(|variant| variant.ident.to_string()).collect()
}

/// Checks each `match` in some code.
fn look<'a>(code: &File, events: &'a BTreeSet<String>) -> Found<'a> {
    let mut found = Found { events, in_event: false, function: String::new(), wild: Vec::new(), matches: 0 };
    found.visit_file(code);
    found
}

/// The `match` expressions over events.
struct Found<'a> {
    events: &'a BTreeSet<String>,
    /// Within an `impl` of the events, where they are named `Self`.
    in_event: bool,
    /// The function that is being checked.
    function: String,
    /// The functions with a wildcard arm.
    wild: Vec<String>,
    matches: usize,
}

impl<'ast> Visit<'ast> for Found<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests_item(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let is_event = matches!(&*item.self_ty, syn::Type::Path(path) if path.path.is_ident("Event"));
        let before = std::mem::replace(&mut self.in_event, is_event);
        visit::visit_item_impl(self, item);
        self.in_event = before;
    }

    fn visit_signature(&mut self, signature: &'ast Signature) {
        self.function = signature.ident.to_string();
    }

    fn visit_expr_match(&mut self, expression: &'ast ExprMatch) {
        let mut named = Named { events: self.events, in_event: self.in_event, found: false };
        expression.arms.iter().for_each(|arm| named.visit_pat(&arm.pat));
        if named.found {
            self.matches += 1;
            let wild = expression.arms.iter().find(|arm| arm.guard.is_none() && takes_all_events(&arm.pat));
            self.wild.extend(wild.map(|_| self.function.clone()));
        }
        visit::visit_expr_match(self, expression);
    }
}

/// Whether a pattern names an event.
struct Named<'a> {
    events: &'a BTreeSet<String>,
    in_event: bool,
    found: bool,
}

impl<'ast> Visit<'ast> for Named<'_> {
    fn visit_path(&mut self, path: &'ast Path) {
        let mut names = path.segments.iter().rev().map(|segment| segment.ident.to_string());
        let (variant, of) = (names.next(), names.next());
        let is_event = of.is_some_and(|of| of == "Event" || (self.in_event && of == "Self"));
        self.found |= is_event && variant.is_some_and(|variant| self.events.contains(&variant));
    }
}

/// Whether a pattern matches every event, perhaps within an `Option` or a `Result`.
fn takes_all_events(pattern: &Pat) -> bool {
    match pattern {
        Pat::TupleStruct(pattern) if pattern.path.is_ident("Some") || pattern.path.is_ident("Ok") => {
            pattern.elems.iter().all(takes_all)
        }
        pattern => takes_all(pattern),
    }
}

/// Whether a pattern matches every value.
fn takes_all(pattern: &Pat) -> bool {
    match pattern {
        Pat::Wild(_) => true,
        // A name that begins with a capital is a variant or a constant, such as `None`.
        Pat::Ident(pattern) if pattern.ident.to_string().starts_with(char::is_uppercase) => false,
        Pat::Ident(pattern) => pattern.subpat.as_ref().is_none_or(|(_, pattern)| takes_all(pattern)),
        Pat::Paren(pattern) => takes_all(&pattern.pat),
        Pat::Reference(pattern) => takes_all(&pattern.pat),
        Pat::Or(pattern) => pattern.cases.iter().any(takes_all),
        Pat::Tuple(pattern) => pattern.elems.iter().all(takes_all),
        _ => false,
    }
}

#[test]
fn no_match_over_events_has_a_wildcard_arm() {
    let (events, mut matches) = (events(), 0);
    assert!(events.contains("OrderPlaced") && events.contains("DecisionSplit"), "{events:?}");
    for folder in ALLOWED.map(|(folder, _)| folder).into_iter().chain(["."]) {
        for file in product(folder) {
            let Found { wild, matches: more, .. } = look(&file.code, &events);
            assert!(wild.is_empty(), "{}, functions {wild:?}: name the events that are ignored", file.path.display());
            matches += more;
        }
    }
    assert!(matches > 5, "a test that saw nothing proves nothing");
}

#[test]
fn a_wildcard_over_events_is_found_in_each_of_its_forms() {
    let events = BTreeSet::from(["Placed".to_owned(), "Ended".to_owned()]);
    let wild = |code: &str| look(&syn::parse_file(code).unwrap(), &events).wild;
    let function = |arms: &str| format!("fn f() {{\n match x {{ {arms} }}\n}}");
    for arms in [
        "Event::Placed(_) => {} _ => {}",
        "order::Event::Placed(p) if p => {} other => {}",
        "Some(Event::Placed(_)) => {} Some(_) => {} None => {}",
        "(Event::Placed(_), Event::Placed(_)) => {} (_, _) => {}",
        "Event::Placed(_) => {} Event::Ended(_) | _ => {}",
    ] {
        assert_eq!(wild(&function(arms)), ["f"], "{arms}");
    }
    assert_eq!(wild("impl Event { fn f(&self) {\n match self { Self::Placed(_) => {} _ => {} } } }"), ["f"]);
    for arms in [
        "Event::Placed(_) => {} Event::Ended(_) => {}",
        "Event::Placed(_) => {} _ if x => {} Event::Ended(_) => {}",
        "Event::StreamStart(_) => {} _ => {}",
        "(None, Event::Placed(_)) => {} (Some(_), _) => {} (None, _) => {}",
    ] {
        assert_eq!(wild(&function(arms)), Vec::<String>::new(), "{arms}");
    }
    assert!(wild(&format!("#[cfg(test)]\n{}", function("Event::Placed(_) => {} _ => {}"))).is_empty());
}
