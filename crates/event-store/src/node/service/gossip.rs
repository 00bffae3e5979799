//! The cluster, which is this one node, and it leads.

use chrono::Utc;
use tonic::{Request, Response, Status};

use crate::node::connection::Reached;
use crate::node::member::Member;
use crate::node::wire::gossip::gossip_server::Gossip;
use crate::node::wire::gossip::member_info::VNodeState;
use crate::node::wire::gossip::{ClusterInfo, EndPoint, MemberInfo};
use crate::node::wire::shared::{self, Empty};

pub(crate) struct GossipService(pub(crate) Member);

#[tonic::async_trait]
impl Gossip for GossipService {
    async fn read(&self, request: Request<Empty>) -> Result<Response<ClusterInfo>, Status> {
        let Self(this) = self;
        let (address, port) = this.end_point(request.extensions().get::<Reached>().and_then(|Reached(at)| *at));
        let member = MemberInfo {
            instance_id: Some(shared::Uuid { value: Some(shared::uuid::Value::String(this.instance.to_string())) }),
            // In ticks of 100 ns since 1970.
            time_stamp: Utc::now().timestamp_micros() * 10,
            state: VNodeState::Leader.into(),
            is_alive: true,
            http_end_point: Some(EndPoint { address, port: port.into() }),
        };
        Ok(Response::new(ClusterInfo { members: vec![member] }))
    }
}
