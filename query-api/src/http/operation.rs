//! What can be told of a request from its document alone, before it is executed. A document that does not parse tells nothing:
//! execution complains of it.

use async_graphql::parser::types::{OperationDefinition, OperationType};
use async_graphql::{Request, Value};

/// Whether the operation asked for is a mutation.
pub fn is_mutation(request: &mut Request) -> bool {
    operation(request).is_some_and(|operation| operation.ty == OperationType::Mutation)
}

/// A variable of the operation that must have a value and has none. (Values of the wrong type are found by validation.)
pub fn missing_variable(request: &mut Request) -> Option<String> {
    let definitions = operation(request)?.variable_definitions.clone();
    let given = |name: &async_graphql::Name| request.variables.get(name).is_some_and(|value| *value != Value::Null);
    let missing = definitions.iter().map(|definition| &definition.node).find(|definition| {
        let optional = definition.var_type.node.nullable || definition.default_value.is_some();
        !optional && !given(&definition.name.node)
    })?;
    Some(missing.name.node.to_string())
}

fn operation(request: &mut Request) -> Option<&OperationDefinition> {
    let wanted = request.operation_name.clone();
    let document = request.parsed_query().ok()?;
    let mut operations = document.operations.iter();
    let found = match wanted {
        Some(wanted) => operations.find(|(name, _)| name.is_some_and(|name| *name == *wanted)),
        None => operations.next(),
    };
    found.map(|(_, operation)| &operation.node)
}
