//! The GraphQL schema: types and resolvers, one noun a file. Its SDL is kept in `schema.graphql`.

mod customer;
mod enums;
mod loaders;
mod order;
mod overview;
mod parked;
mod query;
mod scalars;
mod step;
mod subscription;
mod timeline;
mod workflow;

use async_graphql::connection::{Connection, ConnectionNameType, Edge, EdgeNameType, EmptyFields};
use async_graphql::{EmptyMutation, OutputType, SDLExportOptions};
use views::LagMeter;

use crate::Options;
use crate::budget::Weighing;
use crate::history::History;
use crate::live::Live;
use crate::paging::Cut;

pub use enums::{State, StepStatus};
pub use order::Order;
pub use query::Query;
pub use scalars::Position;
pub use subscription::Subscription;

/// The schema. It has no mutations.
pub type Schema = async_graphql::Schema<Query, EmptyMutation, Subscription>;

/// The schema. Each request brings its own [`Store`](views::Store).
pub fn schema(history: History, lag: LagMeter, live: Live, weighing: Weighing, options: &Options) -> Schema {
    Schema::build(Query, EmptyMutation, Subscription)
        .data(history)
        .data(lag)
        .data(live)
        .extension(weighing)
        .limit_depth(options.max_depth)
        .limit_complexity(options.max_complexity)
        .finish()
}

/// The schema as text.
pub fn sdl(schema: &Schema) -> String {
    schema.sdl_with_options(SDLExportOptions::new().prefer_single_line_descriptions())
}

/// The Relay connection of a page.
fn connection<Row, Node, Name, EdgeName>(
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
type Named<Node, Name, EdgeName> = Connection<String, Node, EmptyFields, EmptyFields, Name, EdgeName>;
