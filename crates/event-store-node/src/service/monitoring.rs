//! `Stats`: figures about the node, at once and then at the requested interval.
//!
//! The names are those of `EventStoreDB`. The node reports those of its many figures that have a
//! meaning here. When a client requests metadata, a server replaces some values with the name of an
//! internal type. Here the values stay.

use std::time::Duration;

use event_store_protocol::monitoring::monitoring_server::Monitoring;
use event_store_protocol::monitoring::{StatsReq, StatsResp};
use futures::{StreamExt, stream};
use tonic::{Request, Response, Status};

use super::answers::Answers;
use super::refusal;
use crate::reader::{ReadFailure, Reader};
use crate::stats;

/// The shortest interval. No client needs figures more often, and an interval of 0 ms would keep
/// the node busy.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);

pub(crate) struct MonitoringService {
    pub(crate) reader: Reader,
}

#[tonic::async_trait]
impl Monitoring for MonitoringService {
    type StatsStream = Answers<StatsResp>;

    async fn stats(&self, request: Request<StatsReq>) -> Result<Response<Self::StatsStream>, Status> {
        let interval = Duration::from_millis(request.into_inner().refresh_time_period_in_ms).max(SHORTEST_INTERVAL);
        let ticks = stream::try_unfold((self.reader.clone(), Duration::ZERO), move |(reader, wait)| async move {
            tokio::select! {
                () = reader.closing.cancelled() => Err(refusal::unreadable(ReadFailure::Closing)),
                () = tokio::time::sleep(wait) => {
                    let stats = stats::now(reader.head()).into_iter().collect();
                    Ok(Some((StatsResp { stats }, (reader, interval))))
                }
            }
        });
        Ok(Response::new(ticks.boxed()))
    }
}
