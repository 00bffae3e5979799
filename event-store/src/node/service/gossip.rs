//! The cluster, which is this one node, and it leads.

use std::net::SocketAddr;

use chrono::Utc;
use tonic::{Request, Response, Status};
use uuid::Uuid;

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
    async fn read(&self, _: Request<Empty>) -> Result<Response<ClusterInfo>, Status> {
        let member = MemberInfo {
            instance_id: Some(shared::Uuid { value: Some(shared::uuid::Value::String(self.instance.to_string())) }),
            // In ticks of 100 ns since 1970.
            time_stamp: Utc::now().timestamp_micros() * 10,
            state: VNodeState::Leader.into(),
            is_alive: true,
            http_end_point: Some(EndPoint { address: self.address.ip().to_string(), port: self.address.port().into() }),
        };
        Ok(Response::new(ClusterInfo { members: vec![member] }))
    }
}
