//! Computes the size of a parsed document with its fragments and variables written out. Nothing is
//! written out for that: the size of a fragment is computed once, from the sizes of the fragments
//! that it spreads.
//!
//! The library's rules visit each place where a fragment is spread, some from each selection around
//! it, and copy the value of a variable wherever it is used. So their work, their memory and the
//! number of errors that they find grow with this size. It is the sum over all definitions, because
//! the rules begin at each of them.

use std::collections::HashMap;

use async_graphql::parser::types::{Directive, ExecutableDocument, OperationDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Variables};
use async_graphql_value::{ConstValue, Value};

use super::excess::{
    Excess, MAX_ARGUMENTS, MAX_DIRECTIVES, MAX_FRAGMENTS, MAX_OPERATIONS, MAX_SELECTION_DEPTH, MAX_VARIABLES,
    MAX_WEIGHT,
};

/// This number of bytes of a string counts as one value.
const BYTES_OF_A_VALUE: usize = 64;

/// The size of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight {
    /// Selections, arguments, directives and values of all definitions, fragments and variables
    /// written out.
    pub total: usize,
    /// Whether it asks for the schema, whose lists the library does not count.
    pub introspects: bool,
}

/// Computes the size of a document, if it is within the bounds.
pub fn weigh(document: &ExecutableDocument, variables: &Variables) -> Result<Weight, Excess> {
    check_counts(document)?;
    let values = Values::of(document, variables);
    let mut introspects = false;
    let mut own = HashMap::new();
    for (name, fragment) in &document.fragments {
        let fragment = &fragment.node;
        let mut definition = Definition::default();
        definition.directives(&fragment.directives, &values)?;
        introspects |= definition.selections(&fragment.selection_set.node, &values)?;
        own.insert(name.as_str(), definition);
    }
    let fragments = expanded(&own)?;
    let mut total = fragments.values().fold(0, |sum: usize, fragment| sum.saturating_add(fragment.weight));
    for (_, operation) in document.operations.iter() {
        let operation = &operation.node;
        let mut definition = Definition { weight: weight_of_variables(operation), ..Definition::default() };
        definition.directives(&operation.directives, &values)?;
        introspects |= definition.selections(&operation.selection_set.node, &values)?;
        total = total.saturating_add(definition.with(&fragments)?.weight);
    }
    if total > MAX_WEIGHT {
        return Err(Excess::Weight(total));
    }
    Ok(Weight { total, introspects })
}

fn check_counts(document: &ExecutableDocument) -> Result<(), Excess> {
    let (operations, fragments) = (document.operations.iter().len(), document.fragments.len());
    if operations > MAX_OPERATIONS {
        return Err(Excess::Operations(operations));
    }
    if fragments > MAX_FRAGMENTS {
        return Err(Excess::Fragments(fragments));
    }
    for (_, operation) in document.operations.iter() {
        let definitions = &operation.node.variable_definitions;
        if definitions.len() > MAX_VARIABLES {
            return Err(Excess::Variables(definitions.len()));
        }
        for definition in definitions {
            bounded(&definition.node.directives)?;
        }
    }
    Ok(())
}

fn weight_of_variables(operation: &OperationDefinition) -> usize {
    let definitions = operation.variable_definitions.iter().map(|definition| {
        let directives = definition.node.directives.len();
        1 + directives + definition.node.default_value.as_ref().map_or(0, |value| weight_of_value(&value.node))
    });
    definitions.sum()
}

/// The size of each variable where it is used: of its value, or of the default in an operation.
struct Values<'a>(HashMap<&'a str, usize>);

impl<'a> Values<'a> {
    fn of(document: &'a ExecutableDocument, variables: &'a Variables) -> Self {
        let mut weights: HashMap<&str, usize> =
            variables.iter().map(|(name, value)| (name.as_str(), weight_of_value(value))).collect();
        for (_, operation) in document.operations.iter() {
            for definition in &operation.node.variable_definitions {
                let Some(default) = &definition.node.default_value else { continue };
                let weight = weights.entry(definition.node.name.node.as_str()).or_default();
                *weight = weight_of_value(&default.node).max(*weight);
            }
        }
        Self(weights)
    }
}

/// One definition: its own size and depth, and the fragments that it spreads, with the depth of
/// each spread.
#[derive(Default)]
struct Definition<'a> {
    weight: usize,
    depth: usize,
    spreads: Vec<(&'a str, usize)>,
}

/// A definition with its fragments written out.
#[derive(Clone, Copy)]
struct Expanded {
    weight: usize,
    depth: usize,
}

impl<'a> Definition<'a> {
    /// Adds a selection set with all its parts. Returns whether it asks for the schema.
    fn selections(&mut self, set: &'a SelectionSet, values: &Values<'_>) -> Result<bool, Excess> {
        let mut introspects = false;
        let mut sets = vec![(set, 1)];
        while let Some((set, depth)) = sets.pop() {
            self.depth = depth.max(self.depth);
            for selection in &set.items {
                self.weight += 1;
                self.directives(directives_of(&selection.node), values)?;
                match &selection.node {
                    Selection::Field(field) => {
                        let field = &field.node;
                        self.arguments(&field.arguments, values)?;
                        introspects |= matches!(field.name.node.as_str(), "__schema" | "__type");
                        if !field.selection_set.node.items.is_empty() {
                            sets.push((&field.selection_set.node, depth + 1));
                        }
                    }
                    Selection::InlineFragment(inline) => sets.push((&inline.node.selection_set.node, depth + 1)),
                    Selection::FragmentSpread(spread) => {
                        self.spreads.push((spread.node.fragment_name.node.as_str(), depth));
                    }
                }
            }
        }
        Ok(introspects)
    }

    fn directives(&mut self, directives: &[Positioned<Directive>], values: &Values<'_>) -> Result<(), Excess> {
        bounded(directives)?;
        for directive in directives {
            self.weight += 1;
            self.arguments(&directive.node.arguments, values)?;
        }
        Ok(())
    }

    fn arguments(
        &mut self,
        arguments: &[(Positioned<Name>, Positioned<Value>)],
        values: &Values<'_>,
    ) -> Result<(), Excess> {
        if arguments.len() > MAX_ARGUMENTS {
            return Err(Excess::Arguments(arguments.len()));
        }
        let weight = arguments.iter().map(|(_, value)| 1 + weight_of_argument(&value.node, values));
        self.weight = self.weight.saturating_add(weight.fold(0, usize::saturating_add));
        Ok(())
    }

    /// With the fragments that it spreads. A missing fragment adds nothing: validation reports it.
    fn with(&self, fragments: &HashMap<&str, Expanded>) -> Result<Expanded, Excess> {
        let mut expanded = Expanded { weight: self.weight, depth: self.depth };
        for (name, depth) in &self.spreads {
            let Some(fragment) = fragments.get(name) else { continue };
            expanded.weight = expanded.weight.saturating_add(fragment.weight);
            expanded.depth = expanded.depth.max(depth + fragment.depth);
        }
        if expanded.depth > MAX_SELECTION_DEPTH {
            return Err(Excess::Depth(expanded.depth));
        }
        Ok(expanded)
    }
}

/// The size of each fragment, after the fragments that it spreads.
fn expanded<'a>(own: &HashMap<&'a str, Definition<'a>>) -> Result<HashMap<&'a str, Expanded>, Excess> {
    let mut done: HashMap<&'a str, Expanded> = HashMap::with_capacity(own.len());
    for start in own.keys() {
        // The path from `start` to the present fragment, with the number of visited spreads of
        // each.
        let mut way = vec![(*start, 0)];
        while let Some((name, looked_at)) = way.last_mut() {
            let (name, definition) = (*name, own.get(*name));
            let next = definition.and_then(|definition| definition.spreads.get(*looked_at));
            *looked_at += 1;
            match next {
                Some((spread, _)) if done.contains_key(spread) || !own.contains_key(spread) => {}
                Some((spread, _)) if way.iter().any(|(above, _)| above == spread) => {
                    return Err(Excess::Cycle((*spread).to_owned()));
                }
                Some((spread, _)) => way.push((spread, 0)),
                None => {
                    if let (Some(definition), false) = (definition, done.contains_key(name)) {
                        done.insert(name, definition.with(&done)?);
                    }
                    way.pop();
                }
            }
        }
    }
    Ok(done)
}

fn directives_of(selection: &Selection) -> &[Positioned<Directive>] {
    match selection {
        Selection::Field(field) => &field.node.directives,
        Selection::FragmentSpread(spread) => &spread.node.directives,
        Selection::InlineFragment(inline) => &inline.node.directives,
    }
}

fn bounded(directives: &[Positioned<Directive>]) -> Result<(), Excess> {
    if directives.len() > MAX_DIRECTIVES { Err(Excess::Directives(directives.len())) } else { Ok(()) }
}

fn weight_of_argument(value: &Value, variables: &Values<'_>) -> usize {
    let mut weight = 0_usize;
    let mut values = vec![value];
    while let Some(value) = values.pop() {
        weight = weight.saturating_add(match value {
            Value::Variable(name) => variables.0.get(name.as_str()).copied().unwrap_or(1),
            Value::String(text) => 1 + text.len() / BYTES_OF_A_VALUE,
            Value::List(items) => {
                values.extend(items);
                1
            }
            Value::Object(fields) => {
                values.extend(fields.values());
                1
            }
            Value::Null | Value::Number(_) | Value::Boolean(_) | Value::Binary(_) | Value::Enum(_) => 1,
        });
    }
    weight
}

fn weight_of_value(value: &ConstValue) -> usize {
    let mut weight = 0_usize;
    let mut values = vec![value];
    while let Some(value) = values.pop() {
        weight += 1;
        match value {
            ConstValue::String(text) => weight += text.len() / BYTES_OF_A_VALUE,
            ConstValue::List(items) => values.extend(items),
            ConstValue::Object(fields) => values.extend(fields.values()),
            ConstValue::Null
            | ConstValue::Number(_)
            | ConstValue::Boolean(_)
            | ConstValue::Binary(_)
            | ConstValue::Enum(_) => {}
        }
    }
    weight
}
