//! Many instances on one log and one Postgres, each a separate process, behind a load balancer, and
//! the faults that they must survive.

mod balancer;
mod chaos;
mod clients;
pub mod history;
mod instance;
mod rolling;
mod script;
mod stopped;
mod versions;
pub mod views;
mod windows;

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use postgres_cluster::testing::OwnCluster;
use tempfile::TempDir;
use tokio::sync::Mutex;

use self::balancer::Balancer;
use self::instance::{Instance, one_is_ready};
use crate::process::Address;
use crate::security::{Security, Settings, borrowed};

/// How long other instances leave an order alone after one took it from the to-do list. Short, so
/// that the tests are short.
pub const LEASE: Duration = Duration::from_secs(3);

/// One node, one Postgres, the participants, two projectors, three command handlers behind a
/// balancer, one query API.
pub struct Many {
    pub postgres: Mutex<OwnCluster>,
    pub database: String,
    pub node: Instance,
    pub log: String,
    pub participants: Instance,
    pub projectors: [Instance; 2],
    pub handlers: [Instance; 3],
    pub balancer: Balancer,
    pub queries: String,
    /// What clients send requests with.
    pub http: reqwest::Client,
    _security: Option<Security>,
    _query_api: Instance,
    _folder: TempDir,
}

impl Many {
    pub async fn new() -> Arc<Self> {
        Self::secured_by(None).await
    }

    /// With TLS on every way, users of the node, keys of callers and signed requests, if there is
    /// something to secure it with.
    pub async fn secured_by(security: Option<Security>) -> Arc<Self> {
        let (postgres, database) = if let Some(security) = &security {
            security.postgres().await
        } else {
            let postgres = OwnCluster::start().await.unwrap_or_else(|error| panic!("no cluster: {error}"));
            let url = postgres.url().to_owned();
            (postgres, url)
        };
        let nodelay = || reqwest::Client::builder().tcp_nodelay(true).build().unwrap();
        let transport = security.as_ref().map_or_else(nodelay, Security::transport);
        let http = security.as_ref().map_or_else(nodelay, Security::client);
        let secured = |instance: Instance, of: fn(&Security) -> Settings| match &security {
            None => instance,
            Some(security) => instance.over_tls(&transport).with(&borrowed(&of(security))),
        };
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_str().unwrap();

        let node = Instance::new("node", &["event-store", "--data", data], "the log at ").at(Address::new());
        let node = secured(node, Security::of_node);
        let printed = node.start().await;
        let log = security.as_ref().map_or_else(|| printed.clone(), |security| security.log(&printed));
        let servers = [("TENUTO_POSTGRES", database.as_str()), ("TENUTO_EVENTSTORE", log.as_str())];
        // When one process is down, the others log errors, which would drown the output of the
        // tests.
        let quiet = std::env::var("TENUTO_LOG").unwrap_or_else(|_| "off".to_owned());
        let plain = |instance: Instance| instance.with(&servers).with(&[("TENUTO_LOG", &quiet)]);
        let with = |instance: Instance| secured(plain(instance), Security::of_role);
        let participants = Instance::new("participants", &["participants"], "notifications at ").at(Address::new());
        let participants = secured(plain(participants), Security::of_services);
        let projectors =
            ["projector 1", "projector 2"].map(|name| with(Instance::new(name, &["projector"], "projecting")));
        let query_api = with(Instance::new("query-api", &["query-api"], "queries at ").at(Address::new()));

        let addresses = [Address::new(), Address::new(), Address::new()];
        let scheme = if security.is_some() { "https" } else { "http" };
        let upstreams = addresses.iter().map(|address| format!("{scheme}://{}", address.as_str())).collect();
        let balancer = Balancer::start(transport.clone(), upstreams).await;
        let lease = LEASE.as_secs().to_string();
        let arguments =
            ["command-handler", "--public-url", &balancer.url, "--lease-seconds", &lease, "--drain-seconds", "1"];
        let services = participants.url();
        let urls = ["orders", "payments", "shipping", "notifications"]
            .map(|name| (format!("{}_URL", name.to_uppercase()), format!("{services}/{name}")));
        let urls = urls.each_ref().map(|(name, url)| (name.as_str(), url.as_str()));
        let mut number = 0;
        let handlers = addresses.map(|address| {
            number += 1;
            let handler = Instance::new(&format!("command-handler {number}"), &arguments, "commands at ").at(address);
            with(handler).with(&urls)
        });

        participants.start().await;
        let queries = query_api.start().await.trim_end_matches("/graphql").to_owned();
        for instance in projectors.iter().chain(&handlers) {
            instance.start().await;
        }
        let many = Self {
            postgres: Mutex::new(postgres),
            database,
            node,
            log,
            participants,
            projectors,
            handlers,
            balancer,
            queries,
            http,
            _security: security,
            _query_api: query_api,
            _folder: folder,
        };
        for handler in &many.handlers {
            one_is_ready(slice::from_ref(handler)).await;
        }
        Arc::new(many)
    }
}
