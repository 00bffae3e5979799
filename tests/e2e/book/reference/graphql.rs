//! GraphQL: every root field, as the schema has it.

use std::fs;

use access::routes::field as operation_of;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{FieldDefinition, TypeKind, TypeSystemDefinition};

use super::{code, golden, head, roles, root, row};

const INTRODUCTION: &str = "\
# GraphQL

Every root field at `/graphql`, generated from the schema. The whole schema, with every type and its
description, is at `/schema.graphql`, and the page at `/graphql` shows it to browsers. A list takes
`first` and `after`, or `last` and `before`. `freshness` waits until the views have a position that
a command was answered with. [Query orders](../shop/querying.md) and [Follow orders as they
change](../shop/subscribing.md) have examples, [Errors](errors.md) the codes of errors.
";

/// The fields of a type of the schema.
fn fields(schema: &str, name: &str) -> Vec<FieldDefinition> {
    let document = parse_schema(schema).unwrap();
    let found = document.definitions.into_iter().find_map(|definition| match definition {
        TypeSystemDefinition::Type(definition) if definition.node.name.node == name => Some(definition.node.kind),
        TypeSystemDefinition::Type(_) | TypeSystemDefinition::Schema(_) | TypeSystemDefinition::Directive(_) => None,
    });
    let Some(TypeKind::Object(object)) = found else { panic!("the schema has no type {name}") };
    object.fields.into_iter().map(|field| field.node).collect()
}

fn table(schema: &str, name: &str) -> String {
    let mut text = head(["field", "what it answers", "arguments", "type", "roles"]);
    for field in fields(schema, name) {
        let arguments = field.arguments.iter().map(|argument| {
            let (name, kind) = (&argument.node.name.node, &argument.node.ty.node);
            code(&format!("{name}: {kind}"))
        });
        let arguments = arguments.collect::<Vec<_>>().join(", ");
        let description = field.description.map(|text| text.node).unwrap_or_default();
        let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
        let field_name = field.name.node.as_str();
        let operation =
            operation_of(name, field_name).unwrap_or_else(|| panic!("{name}.{field_name} is admitted to no one"));
        text +=
            &row([&code(field_name), &description, &arguments, &code(&field.ty.node.to_string()), &roles(operation)]);
    }
    text
}

#[test]
fn the_book_lists_every_root_field() {
    let schema = fs::read_to_string(root().join("query-api/schema.graphql")).unwrap();
    let (queries, subscriptions) = (table(&schema, "Query"), table(&schema, "Subscription"));
    golden("graphql.md", &format!("{INTRODUCTION}\n## Queries\n\n{queries}\n## Subscriptions\n\n{subscriptions}"));
}
