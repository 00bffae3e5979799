//! The protocol's services. Each turns messages into intents and queries, and their results into
//! messages.

#![expect(clippy::result_large_err, reason = "the traits of the protocol prescribe the type of the error")]

mod absent;
mod answers;
mod append;
mod batch_append;
mod consume;
mod convert;
mod delete;
mod features;
mod gossip;
mod monitoring;
mod operations;
mod persistent;
mod persistent_settings;
mod projections;
mod read;
pub(crate) mod refusal;
mod streams;
mod subscribe;
mod users;

pub(super) use absent::answered;
pub(super) use convert::{checked_name, checked_writable_name};
pub(super) use features::FeaturesService;
pub(super) use gossip::GossipService;
pub(super) use monitoring::MonitoringService;
pub(super) use operations::OperationsService;
pub(super) use persistent::PersistentService;
pub(super) use projections::ProjectionsService;
pub(super) use streams::StreamsService;
pub(super) use users::UsersService;

pub(super) use event_store_protocol::gossip::gossip_server::GossipServer;
pub(super) use event_store_protocol::monitoring::monitoring_server::MonitoringServer;
pub(super) use event_store_protocol::operations::operations_server::OperationsServer;
pub(super) use event_store_protocol::persistent::persistent_subscriptions_server::PersistentSubscriptionsServer;
pub(super) use event_store_protocol::projections::projections_server::ProjectionsServer;
pub(super) use event_store_protocol::server_features::server_features_server::ServerFeaturesServer;
pub(super) use event_store_protocol::streams::streams_server::StreamsServer;
pub(super) use event_store_protocol::users::users_server::UsersServer;
