//! `Stats`: how the node is doing, at once and then at the asked interval.
//!
//! The names are those of `EventStoreDB`. Of its many, the ones are there that have a meaning here. Asked for metadata, a
//! server puts the name of one of its own types in place of some values; here the values stay.

use std::time::Duration;

use futures::{StreamExt, stream};
use tonic::{Request, Response, Status};

use super::refusal;
use super::streams::Answers;
use crate::node::reader::{ReadFailure, Reader};
use crate::node::stats;
use crate::node::wire::monitoring::monitoring_server::Monitoring;
use crate::node::wire::monitoring::{StatsReq, StatsResp};

/// Nobody needs them more often; a server that was asked for every 0 ms would do nothing else.
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
