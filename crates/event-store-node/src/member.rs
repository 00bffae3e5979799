//! The node as the one member and leader of its cluster, and how clients find it.

use std::net::SocketAddr;

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

/// The address that clients are to connect to, if it differs from the one at which they reached the
/// node: behind a container's port, a proxy or a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    /// A name or an address. By default, the address at which the client reached the node.
    pub host: Option<String>,
    /// The port. By default, the port on which the node listens.
    pub port: Option<u16>,
}

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) instance: Uuid,
    /// Where the node listens.
    pub(super) address: SocketAddr,
    pub(super) advertised: Advertised,
}

impl Member {
    /// The server version that the node imitates.
    pub(super) const VERSION: &str = "24.10.0";

    /// Host and port at which a client finds it. `reached`: the node's address that the client has
    /// used.
    pub(super) fn end_point(&self, reached: Option<SocketAddr>) -> (String, u16) {
        // A node that listens on every address needs a concrete one here, such as the one just
        // used.
        let address = reached.unwrap_or(self.address);
        let host = self.advertised.host.clone().unwrap_or_else(|| address.ip().to_string());
        (host, self.advertised.port.unwrap_or(address.port()))
    }

    /// The answer to `/gossip`.
    pub(super) fn gossip(&self, reached: Option<SocketAddr>, head: u64) -> Value {
        let (host, port) = self.end_point(reached);
        json!({
            "members": [{
                "instanceId": self.instance,
                "timeStamp": Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
                "state": "Leader",
                "isAlive": true,
                // A server without TCP reports these ports as 0. Some clients cannot read an answer
                // without them.
                "internalTcpIp": host,
                "internalTcpPort": 0,
                "internalSecureTcpPort": 0,
                "externalTcpIp": host,
                "externalTcpPort": 0,
                "externalSecureTcpPort": 0,
                "internalHttpEndPointIp": host,
                "internalHttpEndPointPort": port,
                "httpEndPointIp": host,
                "httpEndPointPort": port,
                "lastCommitPosition": head,
                "writerCheckpoint": head,
                "chaserCheckpoint": head,
                "epochPosition": 0,
                "epochNumber": 0,
                "epochId": self.instance,
                "nodePriority": 0,
                "isReadOnlyReplica": false,
                "esVersion": Self::VERSION,
            }],
            "serverIp": host,
            "serverPort": port,
        })
    }
}
