//! The one home of the read model. Views are tables in Postgres. They are made from the log, and
//! can be rebuilt from it at any time.
//!
//! The projector writes the views ([`writer`]). GraphQL and the command handler read them. None of
//! these three depends on another: what they share is in this crate. That is the schema
//! ([`migrate`]), the names of tables, columns and channels ([`View`], [`channels`]), the rows, the
//! checkpoint ([`checkpoint`]), the check that the views are made from this log ([`verify_log`]),
//! and every statement: a test reads each source file of the other crates for statements on these
//! tables.
//!
//! This crate does **not** fold events, and has no GraphQL, no HTTP and no decision about an order.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

pub mod api_keys;
pub mod callback_secrets;
pub mod channels;
pub mod checkpoint;
pub mod compare;
pub mod customer_keys;
pub mod customer_orders;
mod error;
mod estimates;
mod figures;
mod keyless;
mod lag;
pub mod late_orders;
mod listening;
mod log_guard;
pub mod master_key;
mod migrate;
mod origin;
mod page;
pub mod parked;
mod remedy;
mod replies;
mod restored;
mod rows;
pub mod selection;
mod server_report;
mod shadow;
mod sort;
mod store;
mod tables;
pub mod todo;
mod view_figures;
pub mod webhook_deliveries;
pub mod webhook_secrets;
pub mod webhooks;
pub mod writer;

pub use error::{ViewsError, is_outage};
pub use estimates::estimates;
pub use figures::{held_steps, workflow_sources, workflows_in_use};
pub use keyless::{Keyless, keyless};
pub use lag::{Lag, LagMeter};
pub use listening::Listening;
pub use log_guard::{KeyCount, LogGuard};
pub use migrate::{MigrateError, SchemaState, migrate, schema_state};
pub use origin::{LogCheckError, REMEDY, checkpoint_to_compare, compare_log, compare_views, verify_log, verify_views};
pub use page::Page;
pub use remedy::later_version;
pub use replies::{REPLIES, read_replies_again};
pub use rows::{
    ActionRow, ApprovalRow, CallRow, CountRow, EndHourRow, EndRow, EstimateRow, ExpectationRow, Head, HourRow,
    LateCountRow, NoteRow, OrderRow, OutlineStep, ParkedRow, ParticipantRow, ParticipantWorkRow, PastCountRow,
    ProgressRow, RegisteredRow, RequestRow, StatusRow, StepRow, TimelineRow, TroubleRow, WorkflowCountRow, WorkflowKey,
    WorkflowRow,
};
pub use server_report::{DatabaseReport, server_report};
pub use shadow::Shadow;
pub use sort::{Place, Sort, SortBy, SortKey};
pub use store::{
    ActionPlace, ActionsOf, ApprovalPlace, CallsOf, EndsOf, Keys, Personal, RequestPlace, Store, Unknown, answers,
    connect_to_look_up, ended_orders, expired_batches, order_status,
};
pub use tables::{CHECKPOINTS, View, live_schema};
pub use view_figures::{METRICS, PoolFigures, ViewFigures};
