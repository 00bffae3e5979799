//! The generated types: the protocol, and what is kept on disk. The modules nest as the packages do, because the
//! generated code refers from one to the other by that path.

#![allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]

pub(crate) mod event_store {
    pub(crate) mod client {
        tonic::include_proto!("event_store.client");

        pub(crate) mod streams {
            tonic::include_proto!("event_store.client.streams");
        }
        pub(crate) mod persistent_subscriptions {
            tonic::include_proto!("event_store.client.persistent_subscriptions");
        }
        pub(crate) mod server_features {
            tonic::include_proto!("event_store.client.server_features");
        }
        pub(crate) mod gossip {
            tonic::include_proto!("event_store.client.gossip");
        }
        pub(crate) mod monitoring {
            tonic::include_proto!("event_store.client.monitoring");
        }
        pub(crate) mod operations {
            tonic::include_proto!("event_store.client.operations");
        }
        pub(crate) mod projections {
            tonic::include_proto!("event_store.client.projections");
        }
    }
}

pub(crate) mod google {
    pub(crate) mod rpc {
        tonic::include_proto!("google.rpc");
    }
}

pub(crate) mod storage {
    tonic::include_proto!("tenuto.storage");
}

pub(crate) use event_store::client as shared;
pub(crate) use event_store::client::persistent_subscriptions as persistent;
pub(crate) use event_store::client::{gossip, monitoring, operations, projections, server_features, streams};
