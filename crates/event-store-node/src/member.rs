//! The node as the one member of its cluster, which it leads, and how clients find it.

use std::net::SocketAddr;

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

/// What clients are told to connect to, where that is not the address at which they reached the node: behind a container's
/// port, a proxy or a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    /// A name or an address. Without one, the address at which the client reached the node.
    pub host: Option<String>,
    /// The port. Without one, that on which the node listens.
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
    /// The server that the node is like.
    pub(super) const VERSION: &str = "24.10.0";

    /// Host and port at which a client finds it. `reached`: the address of ours that the client has used.
    pub(super) fn end_point(&self, reached: Option<SocketAddr>) -> (String, u16) {
        // A node that listens on every address can only be reached at a real one, such as the one just used.
        let address = reached.unwrap_or(self.address);
        let host = self.advertised.host.clone().unwrap_or_else(|| address.ip().to_string());
        (host, self.advertised.port.unwrap_or(address.port()))
    }

    /// What `/gossip` says.
    pub(super) fn gossip(&self, reached: Option<SocketAddr>, head: u64) -> Value {
        let (host, port) = self.end_point(reached);
        json!({
            "members": [{
                "instanceId": self.instance,
                "timeStamp": Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
                "state": "Leader",
                "isAlive": true,
                // A server without TCP names its ports 0. Some clients do not read an answer without them.
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
