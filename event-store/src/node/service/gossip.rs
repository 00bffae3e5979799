//! The cluster, which is this one node, and it leads.

use std::net::SocketAddr;

use chrono::Utc;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::node::connection::Reached;
use crate::node::wire::gossip::gossip_server::Gossip;
use crate::node::wire::gossip::member_info::VNodeState;
use crate::node::wire::gossip::{ClusterInfo, EndPoint, MemberInfo};
use crate::node::wire::shared::{self, Empty};

pub(crate) struct GossipService {
    pub(crate) instance: Uuid,
    pub(crate) address: SocketAddr,
}

#[tonic::async_trait]
impl Gossip for GossipService {
    async fn read(&self, request: Request<Empty>) -> Result<Response<ClusterInfo>, Status> {
        // A node that listens on every address can only be reached at a real one, such as the one just used.
        let reached = request.extensions().get::<Reached>().and_then(|Reached(address)| *address);
        let address = reached.unwrap_or(self.address);
        let member = MemberInfo {
            instance_id: Some(shared::Uuid { value: Some(shared::uuid::Value::String(self.instance.to_string())) }),
            // In ticks of 100 ns since 1970.
            time_stamp: Utc::now().timestamp_micros() * 10,
            state: VNodeState::Leader.into(),
            is_alive: true,
            http_end_point: Some(EndPoint { address: address.ip().to_string(), port: address.port().into() }),
        };
        Ok(Response::new(ClusterInfo { members: vec![member] }))
    }
}
