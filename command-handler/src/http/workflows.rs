//! `POST /workflows`: registers a workflow file. `POST /workflows/check`: checks one.

use std::str::Utf8Error;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use domain::order::WorkflowRef;
use domain::order::request::Violation;
use domain::workflow::address::AddressFault;
use domain::workflow::{MAX_FILE_BYTES, Workflow};
use http_client::{Destinations, Rule};
use http_problem::Problem;
use http_request::body;
use serde::Serialize;
use serde_json::json;
use tracing::warn;

use super::endpoint::Handle;
use super::in_time::in_time;
use super::openapi::{Operation, Shared, content, schema_ref};
use crate::clock::Clock;
use crate::log::Log;
use crate::participants::{NoAddress, Settings};
use crate::workflows::{RegisterError, Registered, Registration};

pub(super) const PATH: &str = "/workflows";
pub(super) const CHECK_PATH: &str = "/workflows/check";

/// A version of a workflow, and the position of its registration.
#[derive(Debug, Serialize)]
struct WorkflowVersion {
    workflow: String,
    version: u32,
    position: String,
}

/// A file without faults.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WorkflowCheck {
    workflow: String,
    version: u32,
    /// Whether this version is registered already.
    is_registered: bool,
}

const MEDIA_TYPES: [&str; 3] = ["application/yaml", "application/x-yaml", "text/yaml"];

pub(super) async fn handle<L: Log, C: Clock>(
    State(endpoint): State<Handle<L, C>>,
    request: Request<Body>,
) -> Result<impl IntoResponse, Problem> {
    let source = file(&endpoint, request).await?;
    let Registration { registered, reference, position } =
        in_time(async { endpoint.orchestrator.workflows().register(&source).await.map_err(problem) }).await?;
    let status = match registered {
        Registered::New => StatusCode::CREATED,
        Registered::Known => StatusCode::OK,
    };
    let WorkflowRef { name, version } = reference;
    Ok((status, Json(WorkflowVersion { workflow: name, version, position: position.to_string() })))
}

pub(super) async fn check<L: Log, C: Clock>(
    State(endpoint): State<Handle<L, C>>,
    request: Request<Body>,
) -> Result<impl IntoResponse, Problem> {
    let source = file(&endpoint, request).await?;
    let (WorkflowRef { name, version }, registered) =
        in_time(async { endpoint.orchestrator.workflows().check(&source).await.map_err(problem) }).await?;
    Ok(Json(WorkflowCheck { workflow: name, version, is_registered: registered.is_some() }))
}

/// The text of the file in a request, whose participants have addresses here.
async fn file<L: Log, C: Clock>(endpoint: &Handle<L, C>, request: Request<Body>) -> Result<String, Problem> {
    let (_, bytes) = body::bytes(request, &MEDIA_TYPES).await?;
    let source = std::str::from_utf8(&bytes).map_err(not_utf8)?;
    check_urls(endpoint, source)?;
    Ok(source.to_owned())
}

fn not_utf8(error: Utf8Error) -> Problem {
    Problem::bad_request(format!("the body is not UTF-8: {error}"))
}

/// A definition whose participants have no address here is refused at once, not at its first order.
/// Its registration finds other faults.
fn check_urls<L: Log, C: Clock>(endpoint: &Handle<L, C>, source: &str) -> Result<(), Problem> {
    let Ok(workflow) = Workflow::registered(source) else { return Ok(()) };
    let without = endpoint.orchestrator.participants().http().unresolvable(&workflow).into_iter();
    let by_configuration = |cannot: &NoAddress| match cannot.fault {
        AddressFault::Missing(_) | AddressFault::BadSetting { .. } | AddressFault::NotPermitted(_) => true,
        AddressFault::LeadsAway(_) | AddressFault::Faulty(_) => false,
    };
    let errors: Vec<Violation> = without
        .filter(by_configuration)
        .map(|NoAddress { participant, fault }| Violation {
            pointer: format!("/participants/{participant}/url"),
            detail: fault.to_string(),
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
}

fn problem(error: RegisterError) -> Problem {
    match error {
        RegisterError::Faulty(faults) => Problem::faulty(&faults),
        RegisterError::Different { .. } => Problem::conflict(error.to_string()),
        RegisterError::Lookup(_) | RegisterError::Append(_) | RegisterError::Encode(_) => {
            warn!(%error, "a workflow could not be registered");
            Problem::later(format!("the workflow could not be recorded: {error}; send the same request again"))
        }
    }
}

/// A small workflow file.
pub(super) const TINY: &str = "workflow: tiny\nversion: 1\nparticipants:\n  mail: { url: \"http://mail.example\" }\nsteps:\n  tell: { call: mail.send }\n";

pub(super) fn described() -> [Operation; 2] {
    let version = WorkflowVersion { workflow: "tiny".to_owned(), version: 1, position: "17".to_owned() };
    let check = WorkflowCheck { workflow: "tiny".to_owned(), version: 1, is_registered: false };
    let registration = Operation::post(PATH, "registerWorkflow", "workflows", "Register a workflow file")
        .description(
            "The meaning of a version is fixed, because orders follow it to their end. The same meaning in another form \
             (comments, line ends, the order of keys) is the same version. New orders follow the newest version, within a \
             second on every instance.",
        )
        .answer(200, "The same version was registered before.", "WorkflowVersion", &version)
        .answer(201, "The version is registered.", "WorkflowVersion", &version);
    let checking = Operation::post(CHECK_PATH, "checkWorkflow", "workflows", "Check a workflow file")
        .description("The refusals are those of a registration. Nothing is recorded.")
        .answer(200, "The file has no fault.", "WorkflowCheck", &check);
    [with_file(registration), with_file(checking)]
}

/// Describes the file, and what is refused in it.
fn with_file(operation: Operation) -> Operation {
    let [first, others @ ..] = MEDIA_TYPES;
    let mut media_types = json!({ first: content("WorkflowFile", [("tiny", json!(TINY))]) });
    for media_type in others {
        media_types[media_type] = json!({ "schema": schema_ref("WorkflowFile") });
    }
    let faulty = Workflow::parse(&TINY.replace("mail.send", "post.send")).map_err(RegisterError::Faulty);
    let faulty = faulty.err().map_or_else(|| Problem::at("", ""), problem);
    let setting = Violation {
        pointer: "/participants/mail/url".to_owned(),
        detail: AddressFault::Missing("MAIL_URL".to_owned()).to_string(),
    };
    let only_few = Settings {
        destinations: Destinations::new("*.internal".parse::<Rule>().into_iter().collect()),
        ..Settings::default()
    };
    let forbidden = only_few
        .resolve("http://mail.example")
        .err()
        .map(|fault| Violation { pointer: "/participants/mail/url".to_owned(), detail: fault.to_string() });
    let different = RegisterError::Different {
        name: "tiny".to_owned(),
        version: 1,
        difference: "steps.tell.call is mail.send in the log and mail.say in the file".to_owned(),
    };
    let malformed = String::from_utf8(vec![0xff]).map_err(|error| not_utf8(error.utf8_error())).err();
    let malformed = malformed.unwrap_or_else(|| Problem::bad_request(""));
    operation
        .body(json!({
            "required": true,
            "description": format!(
                "A workflow file in UTF-8, at most {} KiB (more is 422, and more than {} MiB 413).",
                MAX_FILE_BYTES / 1024, body::LARGEST_BODY / 1024 / 1024
            ),
            "x-max-bytes": MAX_FILE_BYTES,
            "content": media_types,
        }))
        .refusal("The body is not UTF-8, or incomplete.", [("notUtf8", malformed)])
        .refusal(
            "This version of the workflow is registered with another meaning. The answer names the difference.",
            [("different", problem(different))],
        )
        .refusal(
            "The operation does not take this `Content-Type`.",
            [("json", body::wrong_media_type("application/json", &MEDIA_TYPES))],
        )
        .refusal(
            "The file is wrong: every fault with its line and column. Or the URL of a participant names a setting that \
             this server does not have, or a host that it must not send requests to: its place as a JSON pointer.",
            [
                ("faults", faulty),
                ("unknownSetting", Problem::invalid(vec![setting])),
                ("forbiddenHost", Problem::invalid(forbidden.into_iter().collect())),
            ],
        )
        .shared([Shared::TooLarge, Shared::TryLater])
}
