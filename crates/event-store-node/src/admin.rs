//! Scavenges over HTTP, with the same routes as a server: `POST /admin/scavenge` starts one, and
//! `DELETE /admin/scavenge/{id}` stops it.
//!
//! Both requests need a user, as on a server. A node without users accepts any name and password.
//! A web page cannot start a scavenge: a browser adds `Origin` to its requests, and the node
//! refuses requests that have it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, ORIGIN};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::json;

use super::page::Page;
use super::scavenge::{Begun, Scavenges};

pub(super) const PLACE: &str = "/admin/scavenge";

/// A request to start or stop a scavenge.
pub(super) enum ScavengeCommand {
    Start { threads: i32 },
    Stop { id: String },
}

/// The scavenge command in a request, or the reason for its refusal. `None`: the request is for
/// another page.
pub(super) fn command<B>(request: &Request<B>) -> Option<Result<ScavengeCommand, Page>> {
    let (method, path) = (request.method(), request.uri().path());
    let command = match (method, path.strip_prefix(PLACE)?.trim_end_matches('/')) {
        (&Method::POST, "") => start(request.uri().query().unwrap_or_default()),
        (_, "") => Err(Page::not_allowed(method, path, "POST")),
        (method, rest) => match (method, rest.strip_prefix('/')?) {
            (&Method::DELETE, id) => Ok(ScavengeCommand::Stop { id: id.to_owned() }),
            _ => Err(Page::not_allowed(method, path, "DELETE")),
        },
    };
    Some(check_caller(request.headers()).and(command))
}

fn check_caller(headers: &HeaderMap) -> Result<(), Page> {
    if headers.contains_key(ORIGIN) {
        let text = format!("A page in a browser cannot use {PLACE}; use a client of the command line, such as curl.\n");
        return Err(Page::text(StatusCode::FORBIDDEN, text));
    }
    let credentials = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let is_user = credentials.and_then(|credentials| credentials.strip_prefix("Basic ")).is_some_and(|encoded| {
        STANDARD.decode(encoded.trim()).is_ok_and(|user| user.iter().position(|byte| *byte == b':') > Some(0))
    });
    let text = "Give a user and a password by HTTP Basic, as `curl -u admin:changeit` does; a node without users accepts any.\n";
    if is_user { Ok(()) } else { Err(Page::text(StatusCode::UNAUTHORIZED, text.to_owned())) }
}

fn start(query: &str) -> Result<ScavengeCommand, Page> {
    number(query, "startFromChunk", 0)?;
    Ok(ScavengeCommand::Start { threads: number(query, "threads", 1)? })
}

/// A number from the query string, at least `least`. `least` is also the default.
fn number(query: &str, name: &str, least: i32) -> Result<i32, Page> {
    let Some(text) = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')) else {
        return Ok(least);
    };
    let number = text.parse().ok().filter(|number| *number >= least);
    number.ok_or_else(|| {
        let text = format!("{name} must be a number from {least} to {}, not {text:?}.\n", i32::MAX);
        Page::text(StatusCode::BAD_REQUEST, text)
    })
}

/// Carries out the command.
pub(super) async fn answer(command: ScavengeCommand, scavenges: Scavenges) -> Page {
    let done = |id: String| Page::json(&json!({ "scavengeId": id }));
    match command {
        ScavengeCommand::Start { threads } => match scavenges.start(threads).await {
            Ok(Begun::Now(id)) => done(id),
            Ok(Begun::Before(id)) => {
                let text = format!("The scavenge {id} is running; wait for its end, or stop it: DELETE {PLACE}/{id}\n");
                Page::text(StatusCode::BAD_REQUEST, text)
            }
            Err(failure) => {
                let text = format!("The scavenge could not be started: {failure}\n");
                Page::text(StatusCode::SERVICE_UNAVAILABLE, text)
            }
        },
        ScavengeCommand::Stop { id } => match scavenges.stop(&id).await {
            Some(id) => done(id),
            None => Page::text(StatusCode::NOT_FOUND, format!("The scavenge {id:?} is not running.\n")),
        },
    }
}
