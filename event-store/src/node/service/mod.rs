//! The protocol's services. Each turns messages into intents and questions, and what comes of them into messages.

#![expect(clippy::result_large_err, reason = "the traits of the protocol prescribe the type of the error")]

mod append;
mod batch_append;
mod convert;
mod delete;
mod features;
mod gossip;
mod read;
mod refusal;
mod streams;
mod subscribe;

pub(super) use features::FeaturesService;
pub(super) use gossip::GossipService;
pub(super) use streams::StreamsService;

pub(super) use super::wire::gossip::gossip_server::GossipServer;
pub(super) use super::wire::server_features::server_features_server::ServerFeaturesServer;
pub(super) use super::wire::streams::streams_server::StreamsServer;
