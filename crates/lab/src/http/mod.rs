//! What an author asks a server about a definition: what it would have done with past orders, and
//! what it does under every fault.
//!
//! Both call no participant and record nothing. Both take long, so each answers with lines while it
//! runs ([`run`]), within bounds, and ends when its client is gone.

mod backtest;
mod faults;
mod request;
mod run;
mod turns;

use std::sync::Arc;

use access::Caller;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use axum::routing::post;
use domain::backtest::{Options, Rules};
use domain::workflow::{Step, Workflow};
use event_store::EventStore;
use http_problem::Problem;
use http_request::body;
use serde_json::{Value, json};
use servers::log::Log;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::request::{BacktestRequest, Definition, TestRequest};
use self::run::answer;
use self::turns::Turns;
use crate::backtest::{Bench, Effort};
use crate::history;

struct Lab {
    log: Arc<Log>,
    turns: Arc<Turns>,
    leaving: CancellationToken,
}

/// `POST /workflows/backtest` and `POST /workflows/test`. What is under way ends when `leaving` is
/// cancelled.
pub fn router(store: EventStore, leaving: CancellationToken) -> Router {
    let lab = Lab { log: Arc::new(Log::from(store)), turns: Arc::default(), leaving };
    Router::new()
        .route("/workflows/backtest", post(try_on_orders))
        .route("/workflows/test", post(test_faults))
        .with_state(Arc::new(lab))
}

/// `POST /workflows/backtest`: what a definition would have done with past orders.
async fn try_on_orders(State(lab): State<Arc<Lab>>, request: Request<Body>) -> Result<Response, Problem> {
    let caller = Caller::of(request.extensions());
    let (_, value) = body::json(request, &["application/json"]).await?;
    let BacktestRequest { definition, filter, answers, same_input } = BacktestRequest::read(value)?;
    let turn = lab.turns.take(&caller)?;
    let workflow = lab.workflow(definition).await?;
    let rules = answers.map(|answers| Rules::parse(&answers, &workflow)).transpose();
    let rules = rules.map_err(|faults| Problem::faulty(&faults))?;
    info!(principal = caller.name(), workflow = workflow.name, version = workflow.version, "a backtest begins");
    let options = Options { rules, same_input };
    let bench = Bench { workflow, options, selection: filter.into(), effort: Effort::of_a_server() };
    let log = lab.log.clone();
    let about = described(&bench.workflow);
    Ok(answer(turn, &lab.leaving, about, |run| backtest::run(log, bench, run)))
}

/// `POST /workflows/test`: what a definition does under every fault.
async fn test_faults(State(lab): State<Arc<Lab>>, request: Request<Body>) -> Result<Response, Problem> {
    let caller = Caller::of(request.extensions());
    let (_, value) = body::json(request, &["application/json"]).await?;
    let TestRequest { definition, order, data } = TestRequest::read(value)?;
    let turn = lab.turns.take(&caller)?;
    let workflow = lab.workflow(definition).await?;
    let about = described(&workflow);
    Ok(answer(turn, &lab.leaving, about, |run| faults::run(workflow, order, data, run)))
}

/// A definition as every line has it: with its steps, so that a client can draw it.
fn described(workflow: &Workflow) -> Value {
    let step =
        |step: &Step, compensated: bool| json!({ "id": step.id, "after": step.after, "compensated": compensated });
    let planned = workflow.steps.iter().map(|planned| step(planned, false));
    let steps: Vec<Value> = planned.chain(workflow.compensated.iter().map(|late| step(late, true))).collect();
    json!({ "workflow": workflow.name, "version": workflow.version, "steps": steps })
}

impl Lab {
    async fn workflow(&self, definition: Definition) -> Result<Workflow, Problem> {
        match definition {
            Definition::Text(text) => Workflow::parse(&text).map_err(|faults| Problem::faulty(&faults)),
            Definition::Registered(reference) => match history::workflow(&self.log, &reference).await {
                Ok(found) => found.ok_or_else(|| {
                    let detail = format!("{} {} is not registered", reference.name, reference.version);
                    Problem::at("/workflow", detail)
                }),
                Err(error) => {
                    warn!(%error, "a registered workflow could not be read");
                    Err(Problem::later(format!("the workflow could not be read: {error}; send the request again")))
                }
            },
        }
    }
}
