//! Reads facts about a request from its document, before it is executed. A document that does not
//! parse has none: execution reports it.

use std::collections::HashSet;

use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, Selection, SelectionSet};
use async_graphql::{InputType, Name, Request, Value};

use crate::freshness::Freshness;

/// Whether an operation, which is a subscription, has one field, as it must: streams are counted
/// and bounded, and each has one field.
pub fn has_one_field(request: &mut Request) -> bool {
    operation(request).is_some_and(|operation| {
        matches!(operation.selection_set.node.items.as_slice(), [only] if matches!(only.node, Selection::Field(_)))
    })
}

/// A variable of the operation that must have a value and has none. (Validation finds values of the
/// wrong type.)
pub fn missing_variable(request: &mut Request) -> Option<String> {
    let definitions = operation(request)?.variable_definitions.clone();
    let given = |name: &async_graphql::Name| request.variables.get(name).is_some_and(|value| *value != Value::Null);
    let missing = definitions.iter().map(|definition| &definition.node).find(|definition| {
        let optional = definition.var_type.node.nullable || definition.default_value.is_some();
        !optional && !given(&definition.name.node)
    })?;
    Some(missing.name.node.to_string())
}

/// How fresh the fields of the operation must be. A wrong argument is left out here: its field
/// reports it.
pub fn freshness(request: &mut Request) -> Vec<Freshness> {
    if !request.query.contains(FRESHNESS) {
        return Vec::new();
    }
    let (name, variables) = (request.operation_name.clone(), request.variables.clone());
    let Ok(document) = request.parsed_query() else { return Vec::new() };
    let Some(operation) = operation_of(document, name.as_deref()) else { return Vec::new() };
    let value_of = |name: &Name| {
        let definition = operation.variable_definitions.iter().find(|variable| variable.node.name.node == *name);
        let default = || definition.and_then(|variable| Some(variable.node.default_value.as_ref()?.node.clone()));
        variables.get(name).cloned().or_else(default).unwrap_or_default()
    };
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut sets = vec![&operation.selection_set.node];
    while let Some(set) = sets.pop() {
        found.extend(set.items.iter().filter_map(|item| {
            let Selection::Field(field) = &item.node else { return None };
            let value = field.node.get_argument(FRESHNESS)?.node.clone();
            let value = value.into_const_with(|name| Ok::<_, ()>(value_of(&name))).ok()?;
            Option::<Freshness>::parse(Some(value)).ok()?
        }));
        sets.extend(within(set, document, &mut seen));
    }
    found
}

/// The names of the operation's root fields, wherever they stand.
pub fn root_fields(request: &mut Request) -> Vec<String> {
    let name = request.operation_name.clone();
    let Ok(document) = request.parsed_query() else { return Vec::new() };
    let Some(operation) = operation_of(document, name.as_deref()) else { return Vec::new() };
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let mut sets = vec![&operation.selection_set.node];
    while let Some(set) = sets.pop() {
        found.extend(set.items.iter().filter_map(|item| match &item.node {
            Selection::Field(field) => Some(field.node.name.node.to_string()),
            Selection::InlineFragment(_) | Selection::FragmentSpread(_) => None,
        }));
        sets.extend(within(set, document, &mut seen));
    }
    found
}

/// The argument for how fresh a field must be.
const FRESHNESS: &str = "freshness";

/// The fragments that a selection is made of, each once.
fn within<'a>(
    set: &'a SelectionSet,
    document: &'a ExecutableDocument,
    seen: &mut HashSet<&'a Name>,
) -> Vec<&'a SelectionSet> {
    let fragments = set.items.iter().filter_map(|item| match &item.node {
        Selection::Field(_) => None,
        Selection::InlineFragment(fragment) => Some(&fragment.node.selection_set.node),
        Selection::FragmentSpread(spread) => {
            let name = &spread.node.fragment_name.node;
            let fragment = document.fragments.get(name).filter(|_| seen.insert(name))?;
            Some(&fragment.node.selection_set.node)
        }
    });
    fragments.collect()
}

fn operation(request: &mut Request) -> Option<&OperationDefinition> {
    let wanted = request.operation_name.clone();
    operation_of(request.parsed_query().ok()?, wanted.as_deref())
}

/// The operation of that name, or the only one.
pub fn operation_of<'a>(document: &'a ExecutableDocument, wanted: Option<&str>) -> Option<&'a OperationDefinition> {
    let mut operations = document.operations.iter();
    let found = match wanted {
        Some(wanted) => operations.find(|(name, _)| name.is_some_and(|name| name == wanted)),
        None => operations.next(),
    };
    found.map(|(_, operation)| &operation.node)
}

#[cfg(test)]
mod tests {
    use async_graphql::Variables;
    use serde_json::json;

    use super::*;

    fn positions(query: &str, variables: serde_json::Value) -> Vec<u64> {
        let mut request = Request::new(query).variables(Variables::from_json(variables));
        let mut positions: Vec<u64> = freshness(&mut request).iter().map(|wanted| wanted.position.0).collect();
        positions.sort_unstable();
        positions
    }

    #[test]
    fn freshness_is_found_wherever_a_field_asks_for_it() {
        let query = "query ($f: Freshness, $p: Position = \"3\") {
            order(id: \"1\", freshness: {position: \"1\"}) { id }
            b: order(id: \"1\", freshness: $f) { id }
            ... { orders(freshness: {position: $p, waitMs: 1}) { nodes { id } } }
            ...more
        } fragment more on Query { ...more workflow(name: \"x\", freshness: {position: \"4\"}) { name } }";
        assert_eq!(positions(query, json!({ "f": { "position": "2" } })), [1, 2, 3, 4]);
        assert_eq!(positions(query, json!({ "f": null, "p": "7" })), [1, 4, 7]);
    }

    #[test]
    fn root_fields_are_found_under_their_own_names_and_in_fragments() {
        let query = "{ a: order(id: 1) { lines { sku } } ... { ... on Query { orders { nodes { id } } } } ...more }
            fragment more on Query { ...more __typename workflow(name: \"x\") { name } }";
        let mut found = root_fields(&mut Request::new(query));
        found.sort_unstable();
        assert_eq!(found, ["__typename", "order", "orders", "workflow"]);
    }

    #[test]
    fn what_is_wrong_or_not_there_asks_for_nothing() {
        for query in
            ["{", "{ order(id: 1) { id } }", "{ order(freshness: 7) }", "{ order(freshness: {position: \"x\"}) }"]
        {
            assert_eq!(positions(query, json!({})), [0; 0], "{query}");
        }
    }
}
