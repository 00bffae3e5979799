//! `Stats`: how the node is doing, at once and then at the asked interval.
//!
//! The names are those of `EventStoreDB`. Of its many, the ones are there that have a meaning here. Asked for metadata, a
//! server puts the name of one of its own types in place of some values; here the values stay.

use std::time::Duration;

use event_store_protocol::monitoring::monitoring_server::Monitoring;
use event_store_protocol::monitoring::{StatsReq, StatsResp};
use futures::{StreamExt, stream};
use tonic::{Request, Response, Status};

use super::refusal;
use super::streams::Answers;
use crate::reader::{ReadFailure, Reader};
use crate::stats;

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
