//! `POST /workflows`: registers a workflow file.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use domain::order::WorkflowRef;
use domain::order::request::Violation;
use domain::workflow::Workflow;
use domain::workflow::address::AddressFault;
use http_problem::Problem;
use serde_json::json;
use tracing::warn;

use super::in_time::in_time;
use super::{Handle, body};
use crate::clock::Clock;
use crate::log::Log;
use crate::participants::NoAddress;
use crate::workflows::{RegisterError, Registered, Registration};

const MEDIA_TYPES: [&str; 3] = ["application/yaml", "application/x-yaml", "text/yaml"];

pub(super) async fn handle<L: Log, C: Clock>(
    State(endpoint): State<Handle<L, C>>,
    request: Request<Body>,
) -> Result<impl IntoResponse, Problem> {
    let (_, bytes) = body::bytes(request, &MEDIA_TYPES).await?;
    let source =
        std::str::from_utf8(&bytes).map_err(|error| Problem::bad_request(format!("the body is not UTF-8: {error}")))?;
    check_urls(&endpoint, source)?;
    let Registration { registered, reference, position } =
        in_time(async { endpoint.orchestrator.workflows().register(source).await.map_err(problem) }).await?;
    let status = match registered {
        Registered::New => StatusCode::CREATED,
        Registered::Known => StatusCode::OK,
    };
    let WorkflowRef { name, version } = reference;
    Ok((status, Json(json!({ "workflow": name, "version": version, "position": position.to_string() }))))
}

/// A definition whose participants have no place here is refused at once, not at its first order. What else is wrong with it
/// is found when it is registered.
fn check_urls<L: Log, C: Clock>(endpoint: &Handle<L, C>, source: &str) -> Result<(), Problem> {
    let Ok(workflow) = Workflow::registered(source) else { return Ok(()) };
    let without = endpoint.orchestrator.participants().http().unresolvable(&workflow).into_iter();
    let by_setting =
        |cannot: &NoAddress| matches!(cannot.fault, AddressFault::Missing(_) | AddressFault::BadSetting { .. });
    let errors: Vec<Violation> = without
        .filter(by_setting)
        .map(|NoAddress { participant, fault }| Violation {
            pointer: format!("/participants/{participant}/url"),
            detail: fault.to_string(),
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
}

fn problem(error: RegisterError) -> Problem {
    match error {
        RegisterError::Faulty(faults) => {
            let errors = faults.iter().map(|fault| Violation {
                pointer: format!("line {}, column {}", fault.line, fault.column),
                detail: format!("{}: {}", fault.path, fault.reason),
            });
            Problem::invalid(errors.collect())
        }
        RegisterError::Different { .. } => Problem::conflict(error.to_string()),
        RegisterError::Lookup(_) | RegisterError::Append(_) | RegisterError::Encode(_) => {
            warn!(%error, "a workflow could not be registered");
            Problem::later(format!("the workflow could not be recorded: {error}; send the same request again"))
        }
    }
}
