//! The cluster: this one node, as its leader.

use chrono::Utc;
use event_store_protocol::gossip::gossip_server::Gossip;
use event_store_protocol::gossip::member_info::VNodeState;
use event_store_protocol::gossip::{ClusterInfo, EndPoint, MemberInfo};
use event_store_protocol::shared::{self, Empty};
use tonic::{Request, Response, Status};

use crate::connection::Reached;
use crate::member::Member;

pub(crate) struct GossipService(pub(crate) Member);

#[tonic::async_trait]
impl Gossip for GossipService {
    async fn read(&self, request: Request<Empty>) -> Result<Response<ClusterInfo>, Status> {
        let Self(this) = self;
        let (address, port) = this.end_point(request.extensions().get::<Reached>().and_then(|reached| reached.at));
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
