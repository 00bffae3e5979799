//! Operations that a client can request of this node.
//!
//! A single node has no leadership to resign, no index to merge and no subsystem to restart. It
//! answers such requests as done. A scavenge always uses one thread, whatever number is requested,
//! and covers the whole log.
//!
//! The node runs in a program that has more to close than the log. So it does not shut down when a
//! client requests it, but passes the request on: see
//! [`NodeHandle::asked_to_shut_down`](crate::NodeHandle::asked_to_shut_down). As on any server, the
//! answer only confirms that the request was received.

use event_store_protocol::operations::operations_server::Operations;
use event_store_protocol::operations::scavenge_resp::ScavengeResult;
use event_store_protocol::operations::{ScavengeResp, SetNodePriorityReq, StartScavengeReq, StopScavengeReq};
use event_store_protocol::shared::Empty;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tracing::info;

use super::refusal;
use crate::scavenge::{Begun, Scavenges};

pub(crate) struct OperationsService {
    pub(crate) asked_to_shut_down: CancellationToken,
    pub(crate) scavenges: Scavenges,
}

fn answer(scavenge_id: String, result: ScavengeResult) -> ScavengeResp {
    ScavengeResp { scavenge_id, scavenge_result: result.into() }
}

type Done = Result<Response<Empty>, Status>;

const DONE: Empty = Empty {};

#[tonic::async_trait]
impl Operations for OperationsService {
    async fn start_scavenge(&self, request: Request<StartScavengeReq>) -> Result<Response<ScavengeResp>, Status> {
        let options = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        if options.thread_count < 1 {
            return Err(refusal::invalid(format!("thread_count must be 1 or more, not {}.", options.thread_count)));
        }
        if options.start_from_chunk < 0 {
            let chunk = options.start_from_chunk;
            return Err(refusal::invalid(format!("start_from_chunk must be 0 or more, not {chunk}.")));
        }
        let begun = self.scavenges.start(options.thread_count).await.map_err(refusal::read_write_error)?;
        Ok(Response::new(match begun {
            Begun::Now(id) => answer(id, ScavengeResult::Started),
            Begun::Before(id) => answer(id, ScavengeResult::InProgress),
        }))
    }

    async fn stop_scavenge(&self, request: Request<StopScavengeReq>) -> Result<Response<ScavengeResp>, Status> {
        let options = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        match self.scavenges.stop(&options.scavenge_id).await {
            Some(id) => Ok(Response::new(answer(id, ScavengeResult::Stopped))),
            None => Err(refusal::scavenge_not_found(options.scavenge_id)),
        }
    }

    async fn shutdown(&self, _: Request<Empty>) -> Done {
        info!("a client requests a shutdown of the event store");
        self.asked_to_shut_down.cancel();
        Ok(Response::new(DONE))
    }

    async fn merge_indexes(&self, _: Request<Empty>) -> Done {
        Ok(Response::new(DONE))
    }

    async fn resign_node(&self, _: Request<Empty>) -> Done {
        Ok(Response::new(DONE))
    }

    async fn set_node_priority(&self, _: Request<SetNodePriorityReq>) -> Done {
        Ok(Response::new(DONE))
    }

    async fn restart_persistent_subscriptions(&self, _: Request<Empty>) -> Done {
        Ok(Response::new(DONE))
    }
}
