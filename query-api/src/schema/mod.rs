//! The GraphQL schema: types and resolvers, one noun a file. Its SDL is kept in `schema.graphql`.

mod actions;
mod approvals;
mod calls;
mod connection;
mod customer;
mod ends;
mod enums;
mod loaders;
mod operations;
mod order;
mod overview;
mod parked;
mod participants;
mod past_counts;
mod query;
mod requests;
mod scalars;
mod step;
mod subscription;
mod timeline;
mod troubles;
mod waiting_requests;
mod webhooks;
mod workflow;
mod workflows;

use async_graphql::{EmptyMutation, SDLExportOptions};
use views::LagMeter;

use crate::Options;
use crate::budget::Weighing;
use crate::history::History;
use crate::live::Live;

pub use enums::{State, StepStatus};
pub use loaders::Parts;
pub use order::Order;
pub use query::Query;
pub use scalars::Position;
pub use subscription::Subscription;
pub(crate) use waiting_requests::requests_within;

/// The schema. It has no mutations.
pub type Schema = async_graphql::Schema<Query, EmptyMutation, Subscription>;

/// The schema. Each request brings its own [`Store`](views::Store).
pub fn schema(history: History, lag: LagMeter, live: Live, weighing: Weighing, options: &Options) -> Schema {
    Schema::build(Query, EmptyMutation, Subscription)
        .data(history)
        .data(lag)
        .data(live)
        .data(options.second_person.clone())
        .extension(weighing)
        .limit_depth(options.max_depth)
        .limit_complexity(options.max_complexity)
        .finish()
}

/// The schema as text.
pub fn sdl(schema: &Schema) -> String {
    schema.sdl_with_options(SDLExportOptions::new().prefer_single_line_descriptions())
}
