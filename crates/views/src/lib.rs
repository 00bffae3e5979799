//! The read model's one home. Views are tables in Postgres that are made of the log, and can be rebuilt from it at any time.
//!
//! The projector writes them, GraphQL and the command handler read them, and none of these three knows another. What they have to
//! agree on stands here and nowhere else: the schema ([`migrate`]), the names of tables, columns and channels ([`View`],
//! [`channels`]), the rows, how far the views have come ([`checkpoint`]) and of which log they are ([`verify_log`]). No statement
//! on one of these tables stands in another crate; a test of the whole system reads every source file for that.
//!
//! What is **not** here: folding of events (the projector's), GraphQL, HTTP, and any decision about an order.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

pub mod channels;
pub mod checkpoint;
pub mod compare;
pub mod customer_keys;
pub mod customer_orders;
mod error;
mod figures;
mod keyless;
mod lag;
mod lag_figures;
mod listening;
mod log_guard;
mod migrate;
mod origin;
mod page;
pub mod parked;
mod replies;
mod restored;
mod rows;
pub mod selection;
mod shadow;
mod sort;
mod store;
mod tables;
pub mod todo;
pub mod writer;

pub use error::{ViewsError, is_outage};
pub use figures::{held_steps, workflows_in_use};
pub use keyless::{Keyless, keyless};
pub use lag::{Lag, LagMeter};
pub use lag_figures::LagFigures;
pub use listening::Listening;
pub use log_guard::{KeyCount, LogGuard};
pub use migrate::{MigrateError, migrate};
pub use origin::{LogCheckError, REMEDY, checkpoint_to_compare, compare_log, compare_views, verify_log, verify_views};
pub use page::Page;
pub use replies::{REPLIES, read_replies_again};
pub use rows::{
    CountRow, Head, HourRow, OrderRow, OutlineStep, ParkedRow, ProgressRow, StatusRow, StepRow, TimelineRow,
    WorkflowKey, WorkflowRow,
};
pub use shadow::Shadow;
pub use sort::{Place, Sort, SortBy, SortKey};
pub use store::{Keys, Personal, Store, Unknown, answers, connect_to_look_up, ended_orders, order_status};
pub use tables::{CHECKPOINTS, View, live_schema};
