//! The features of this server, reported as a server of the 24.10 line reports them.

use event_store_protocol::server_features::server_features_server::ServerFeatures;
use event_store_protocol::server_features::{SupportedMethod, SupportedMethods};
use event_store_protocol::shared::Empty;
use tonic::{Request, Response, Status};

use crate::member::Member;

/// The methods of each service, in lower case, with the features that a client may use.
const SERVICES: [Service; 6] = [
    (
        "event_store.client.streams.streams",
        &[
            ("read", &["position", "events"]),
            ("append", &[]),
            ("delete", &[]),
            ("tombstone", &[]),
            ("batchappend", &["deadline_duration"]),
        ],
    ),
    (
        "event_store.client.persistent_subscriptions.persistentsubscriptions",
        &[
            ("create", &["stream", "all"]),
            ("update", &["stream", "all"]),
            ("delete", &["stream", "all"]),
            ("read", &["stream", "all"]),
            ("getinfo", &["stream", "all"]),
            ("replayparked", &["stream", "all"]),
            ("list", &["stream", "all"]),
            ("restartsubsystem", &["stream", "all"]),
        ],
    ),
    (
        "event_store.client.operations.operations",
        &[
            ("startscavenge", &[]),
            ("stopscavenge", &[]),
            ("shutdown", &[]),
            ("mergeindexes", &[]),
            ("resignnode", &[]),
            ("setnodepriority", &[]),
            ("restartpersistentsubscriptions", &[]),
        ],
    ),
    ("event_store.client.monitoring.monitoring", &[("stats", &[])]),
    ("event_store.client.gossip.gossip", &[("read", &[])]),
    ("event_store.client.server_features.serverfeatures", &[("getsupportedmethods", &[])]),
];

/// The service of a node that runs the system projections.
const PROJECTIONS: Service = (
    "event_store.client.projections.projections",
    &[("statistics", &[]), ("enable", &[]), ("disable", &[]), ("state", &[]), ("result", &[])],
);

/// The service of a node with users.
const USERS: Service = (
    "event_store.client.users.users",
    &[
        ("create", &[]),
        ("update", &[]),
        ("delete", &[]),
        ("disable", &[]),
        ("enable", &[]),
        ("details", &[]),
        ("changepassword", &[]),
        ("resetpassword", &[]),
    ],
);

type Service = (&'static str, &'static [Method]);
type Method = (&'static str, &'static [&'static str]);

pub(crate) struct FeaturesService {
    pub(crate) projections: bool,
    pub(crate) users: bool,
}

#[tonic::async_trait]
impl ServerFeatures for FeaturesService {
    async fn get_supported_methods(&self, _: Request<Empty>) -> Result<Response<SupportedMethods>, Status> {
        let services = SERVICES.iter().chain(self.projections.then_some(&PROJECTIONS));
        let services = services.chain(self.users.then_some(&USERS));
        let methods = services.flat_map(|(service, methods)| {
            methods.iter().map(|(method, features)| SupportedMethod {
                method_name: (*method).into(),
                service_name: (*service).into(),
                features: features.iter().map(|feature| (*feature).into()).collect(),
            })
        });
        Ok(Response::new(SupportedMethods {
            methods: methods.collect(),
            event_store_server_version: Member::VERSION.into(),
        }))
    }
}
