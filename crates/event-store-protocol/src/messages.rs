//! The generated messages and services. The modules are nested like the protocol's packages,
//! because the generated code refers from one to another by these paths.

#![allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]

pub mod event_store {
    pub mod client {
        include!("generated/event_store.client.rs");

        pub mod streams {
            include!("generated/event_store.client.streams.rs");
        }
        pub mod persistent_subscriptions {
            include!("generated/event_store.client.persistent_subscriptions.rs");
        }
        pub mod server_features {
            include!("generated/event_store.client.server_features.rs");
        }
        pub mod gossip {
            include!("generated/event_store.client.gossip.rs");
        }
        pub mod monitoring {
            include!("generated/event_store.client.monitoring.rs");
        }
        pub mod operations {
            include!("generated/event_store.client.operations.rs");
        }
        pub mod projections {
            include!("generated/event_store.client.projections.rs");
        }
        pub mod users {
            include!("generated/event_store.client.users.rs");
        }
    }
}

pub mod google {
    pub mod rpc {
        include!("generated/google.rpc.rs");
    }
}
