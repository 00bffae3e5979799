//! The generated messages of OTLP. The modules are nested like the protocol's packages, because the
//! generated code refers from one to another by these paths.

#![allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]

pub mod opentelemetry {
    pub mod proto {
        pub mod common {
            pub mod v1 {
                include!("generated/opentelemetry.proto.common.v1.rs");
            }
        }
        pub mod resource {
            pub mod v1 {
                include!("generated/opentelemetry.proto.resource.v1.rs");
            }
        }
        pub mod trace {
            pub mod v1 {
                include!("generated/opentelemetry.proto.trace.v1.rs");
            }
        }
        pub mod collector {
            pub mod trace {
                pub mod v1 {
                    include!("generated/opentelemetry.proto.collector.trace.v1.rs");
                }
            }
        }
    }
}
