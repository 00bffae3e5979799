//! `Projections`: the system projections, on a node that runs them. A client can switch them on and
//! off and read their statistics. They have no state, and other projections do not exist here.

use event_store_protocol::projections::projections_server::Projections;
use event_store_protocol::projections::statistics_req::options::Mode;
use event_store_protocol::projections::statistics_resp::Details;
use event_store_protocol::projections::{
    CreateReq, CreateResp, DeleteReq, DeleteResp, DisableReq, DisableResp, EnableReq, EnableResp, ResetReq, ResetResp,
    ResultReq, ResultResp, StateReq, StateResp, StatisticsReq, StatisticsResp, UpdateReq, UpdateResp,
};
use event_store_protocol::shared::Empty;
use futures::{StreamExt, stream};
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use tonic::{Request, Response, Status};

use super::answers::Answers;
use super::refusal;
use crate::projections::{Control, Kind as Projection, Standing};

pub(crate) struct ProjectionsService {
    pub(crate) control: Control,
}

fn found(name: &str) -> Result<Projection, Status> {
    Projection::named(name).ok_or_else(|| refusal::projection_not_found(name))
}

fn only_system_projections<T>() -> Result<Response<T>, Status> {
    let names = Projection::ALL.map(Projection::name).join(", ");
    Err(Status::unimplemented(format!(
        "This node runs the system's projections only ({names}); it can switch them on and off."
    )))
}

fn no_state() -> Value {
    Value { kind: Some(Kind::StructValue(Struct::default())) }
}

impl ProjectionsService {
    async fn switch(&self, name: &str, on: bool) -> Result<(), Status> {
        self.control.switch(found(name)?, on).await.map_err(refusal::failed)
    }
}

#[tonic::async_trait]
impl Projections for ProjectionsService {
    type StatisticsStream = Answers<StatisticsResp>;

    async fn statistics(&self, request: Request<StatisticsReq>) -> Result<Response<Self::StatisticsStream>, Status> {
        let options = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        let asked = match options.mode.ok_or_else(|| refusal::missing("Mode"))? {
            Mode::Name(name) => vec![found(&name)?],
            Mode::All(_) | Mode::Continuous(_) => Projection::ALL.to_vec(),
            Mode::Transient(_) | Mode::OneTime(_) => Vec::new(),
        };
        let (standing, head) = (self.control.standing(), self.control.head());
        let details = asked
            .into_iter()
            .map(move |projection| Ok(StatisticsResp { details: Some(details(projection, &standing, head)) }));
        Ok(Response::new(stream::iter(details).boxed()))
    }

    async fn enable(&self, request: Request<EnableReq>) -> Result<Response<EnableResp>, Status> {
        let options = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        self.switch(&options.name, true).await.map(|()| Response::new(EnableResp {}))
    }

    async fn disable(&self, request: Request<DisableReq>) -> Result<Response<DisableResp>, Status> {
        let options = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        self.switch(&options.name, false).await.map(|()| Response::new(DisableResp {}))
    }

    async fn state(&self, request: Request<StateReq>) -> Result<Response<StateResp>, Status> {
        let options = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        found(&options.name)?;
        Ok(Response::new(StateResp { state: Some(no_state()) }))
    }

    async fn result(&self, request: Request<ResultReq>) -> Result<Response<ResultResp>, Status> {
        let options = request.into_inner().options.ok_or_else(|| refusal::missing("Options"))?;
        found(&options.name)?;
        Ok(Response::new(ResultResp { result: Some(no_state()) }))
    }

    async fn create(&self, _: Request<CreateReq>) -> Result<Response<CreateResp>, Status> {
        only_system_projections()
    }

    async fn update(&self, _: Request<UpdateReq>) -> Result<Response<UpdateResp>, Status> {
        only_system_projections()
    }

    async fn delete(&self, _: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        only_system_projections()
    }

    async fn reset(&self, _: Request<ResetReq>) -> Result<Response<ResetResp>, Status> {
        only_system_projections()
    }

    /// The projections retry by themselves after any failure, so there is nothing to restart.
    async fn restart_subsystem(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Ok(Response::new(Empty {}))
    }
}

fn details(projection: Projection, standing: &Standing, head: u64) -> Details {
    let at = |position: u64| format!("C:{position}/P:{position}");
    let position = standing.position_of(projection);
    Details {
        effective_name: projection.name().into(),
        name: projection.name().into(),
        status: if standing.is_on(projection) { "Running" } else { "Stopped" }.into(),
        mode: "Continuous".into(),
        position: at(position),
        progress: percentage(position, head),
        last_checkpoint: at(standing.checkpoint),
        events_processed_after_restart: i64::try_from(standing.processed).unwrap_or(i64::MAX),
        ..Details::default()
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the protocol has a 32-bit float here"
)]
fn percentage(position: u64, head: u64) -> f32 {
    if head == 0 { 100.0 } else { (position.min(head) as f64 / head as f64 * 100.0) as f32 }
}
