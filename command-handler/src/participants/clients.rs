//! The clients that send requests to participants and to webhooks. Each connects only to the hosts
//! that the configuration permits, so a port that it names has its own clients.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http_client::{Destinations, ParticipantTls};
use reqwest::{Client, Error, RequestBuilder, Response, Url};

use super::connections::{WatchConnections, is_closed, watched};

/// The limit for opening a connection.
const CONNECTING: Duration = Duration::from_secs(5);

/// Clients for the same hosts.
#[derive(Debug)]
pub(crate) struct Clients {
    /// Keeps connections, and is watched for whether it used a kept one.
    keeping: Client,
    /// For requests that found their connection closed. It keeps no connections.
    fresh: Client,
}

/// Clients by the port of the URL.
#[derive(Debug, Clone)]
pub(crate) struct ClientsByPort {
    named: Arc<BTreeMap<u16, Clients>>,
    others: Arc<Clients>,
}

impl ClientsByPort {
    pub fn new(destinations: &Destinations, tls: &ParticipantTls) -> Result<Self, Error> {
        let named =
            destinations.ports().into_iter().map(|port| Ok((port, Clients::new(destinations, Some(port), tls)?)));
        let named = Arc::new(named.collect::<Result<_, Error>>()?);
        Ok(Self { named, others: Arc::new(Clients::new(destinations, None, tls)?) })
    }

    /// The clients for this URL.
    pub fn of(&self, url: &Url) -> &Clients {
        url.port_or_known_default().and_then(|port| self.named.get(&port)).unwrap_or(&self.others)
    }
}

impl Clients {
    /// Sends a request. The other side may close a connection that is kept just as the request goes
    /// out on it: then it is sent once more, on a new connection. Returns whether it was.
    pub async fn send(&self, request: impl Fn(&Client) -> RequestBuilder) -> (Result<Response, Error>, bool) {
        let (sent, is_kept) = watched(request(&self.keeping).send()).await;
        match sent {
            Err(error) if is_kept && is_closed(&error) => (request(&self.fresh).send().await, true),
            sent => (sent, false),
        }
    }

    fn new(destinations: &Destinations, port: Option<u16>, tls: &ParticipantTls) -> Result<Self, Error> {
        let builder = || Ok::<_, Error>(tls.of(destinations.client_builder(port)?).connect_timeout(CONNECTING));
        Ok(Self {
            keeping: builder()?.connector_layer(WatchConnections).build()?,
            fresh: builder()?.pool_max_idle_per_host(0).build()?,
        })
    }
}
