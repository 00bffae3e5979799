//! A page of a list as a Relay connection.

use async_graphql::OutputType;
use async_graphql::connection::{Connection, ConnectionNameType, Edge, EdgeNameType, EmptyFields};

use crate::paging::Cut;

/// The Relay connection of a page.
pub fn connection<Row, Node, Name, EdgeName>(
    cut: Cut<Row>,
    mut edge: impl FnMut(Row) -> (String, Node),
) -> Named<Node, Name, EdgeName>
where
    Node: OutputType,
    Name: ConnectionNameType,
    EdgeName: EdgeNameType,
{
    let mut connection = Connection::new(cut.has_previous, cut.has_next);
    connection.edges.extend(cut.rows.into_iter().map(|row| {
        let (cursor, node) = edge(row);
        Edge::new(cursor, node)
    }));
    connection
}

/// A connection with its own name.
pub type Named<Node, Name, EdgeName> = Connection<String, Node, EmptyFields, EmptyFields, Name, EdgeName>;
