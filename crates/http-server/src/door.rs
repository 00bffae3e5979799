//! The door of a role: it answers requests from the start of the process, also while the role is
//! starting.
//!
//! Meanwhile `/livez` reports that the process is alive, and `/readyz` what the role waits for.
//! Every other request waits a little for the role, and is then answered 503.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use http_problem::Problem;
use tokio::sync::watch;
use tokio::time::timeout;
use tower::ServiceExt;

/// How long a request waits for a role to start: a command is answered within five seconds, also
/// during an outage.
pub const STARTING: Duration = Duration::from_secs(4);

/// The paths that are answered at once.
pub const PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// What is behind the door.
#[derive(Clone, Debug)]
enum Behind {
    /// The role starts, and waits for this. Its probes answer as soon as there is something to
    /// probe.
    Starting(&'static str, Option<Router>),
    Open(Router),
}

impl Behind {
    fn waits_for(&self) -> Option<&'static str> {
        match *self {
            Self::Starting(what, _) => Some(what),
            Self::Open(_) => None,
        }
    }
}

/// The stages of a role's start.
#[derive(Debug)]
pub struct Stages(watch::Receiver<Behind>);

impl Stages {
    /// What the role waits for: at the first call now, and at a later call once that has changed.
    /// `None`: the door is open.
    pub async fn next(&mut self) -> Option<&'static str> {
        // The door itself holds the sender. Without a door, nothing is waited for.
        self.0.changed().await.ok()?;
        self.0.borrow_and_update().waits_for()
    }
}

/// A door. Clones are the same door.
#[derive(Clone, Debug)]
pub struct Door {
    behind: Arc<watch::Sender<Behind>>,
    /// How long a request waits for the process to start.
    patience: Duration,
}

impl Door {
    /// A closed door. A request waits at most this long for it to open.
    pub fn new(patience: Duration) -> Self {
        Self { behind: Arc::new(watch::Sender::new(Behind::Starting("the process", None))), patience }
    }

    /// From now on, the role waits for this.
    pub fn waits_for(&self, what: &'static str) {
        self.set(Behind::Starting(what, None));
    }

    /// From now on, the role waits for this, and these routes answer: `/readyz` and `/metrics`, for
    /// example.
    pub fn waits_behind(&self, what: &'static str, probes: Router) {
        self.set(Behind::Starting(what, Some(probes)));
    }

    /// What the role waits for; `None`: the door is open.
    pub fn waiting_for(&self) -> Option<&'static str> {
        self.behind.borrow().waits_for()
    }

    /// From now on, this answers.
    pub fn open(&self, router: Router) {
        self.set(Behind::Open(router.method_not_allowed_fallback(other_method).fallback(unknown_path)));
    }

    /// From now on, these answer: `router`, and `rest` for the paths and methods that it lacks.
    pub fn open_with_rest(&self, router: Router, rest: Router) {
        let of_methods = rest.clone();
        let router = router
            .method_not_allowed_fallback(move |request: Request| of_methods.oneshot(request))
            .fallback_service(rest);
        self.set(Behind::Open(router));
    }

    /// The stages of the role's start from now on.
    pub fn stages(&self) -> Stages {
        let mut behind = self.behind.subscribe();
        behind.mark_changed();
        Stages(behind)
    }

    /// Whether the role answers that it is alive.
    pub async fn is_live(&self) -> bool {
        let mut request = Request::default();
        *request.uri_mut() = Uri::from_static("/livez");
        self.answer(request).await.status() == StatusCode::OK
    }

    fn set(&self, behind: Behind) {
        self.behind.send_replace(behind);
    }

    /// What to serve.
    pub fn router(&self) -> Router {
        let door = self.clone();
        Router::new().fallback(move |request: Request| async move { door.answer(request).await })
    }

    async fn answer(&self, request: Request) -> Response {
        if self.waiting_for().is_some() && !PROBES.contains(&request.uri().path()) {
            let mut behind = self.behind.subscribe();
            let opened = behind.wait_for(|behind| matches!(behind, Behind::Open(_)));
            // The match below checks whether the door opened in time.
            let _ = timeout(self.patience, opened).await.is_ok();
        }
        let behind = self.behind.borrow().clone();
        match behind {
            Behind::Open(router) => match refusal_of_encoded(request.headers()) {
                None => without_allow(router.oneshot(request).await.into_response()),
                Some(refusal) => refusal,
            },
            Behind::Starting(what, None) => starting(request.uri(), what),
            Behind::Starting(what, Some(probes)) => {
                let later = move |uri: Uri| async move { starting(&uri, what) };
                probes.fallback(later).oneshot(request).await.into_response()
            }
        }
    }
}

fn starting(uri: &Uri, what: &str) -> Response {
    match uri.path() {
        "/livez" => "alive\n".into_response(),
        "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, format!("starting: waits for {what}\n")).into_response(),
        _ => {
            let detail = format!("this instance is starting, and waits for {what}: send the same request later");
            Problem::later(detail).into_response()
        }
    }
}

async fn other_method(method: Method, uri: Uri) -> Problem {
    Problem::method_not_allowed(&method, &uri)
}

/// The router adds the methods that it has to each answer of a fallback, also to a success.
fn without_allow(mut response: Response) -> Response {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().remove(header::ALLOW);
    }
    response
}

async fn unknown_path(method: Method, uri: Uri) -> Problem {
    Problem::no_such_path(&method, &uri, "this server has")
}

/// No route decodes a body, so an encoded one would be reported as malformed JSON.
fn refusal_of_encoded(headers: &HeaderMap) -> Option<Response> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let encoding = encodings.find(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))?;
    let encoding: String = String::from_utf8_lossy(encoding.as_bytes()).chars().take(40).collect();
    let detail = format!("Content-Encoding {encoding:?} is not accepted: send the body as it is");
    let refusal = Problem::wrong_media_type(detail);
    Some(([(header::ACCEPT_ENCODING, "identity")], refusal).into_response())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::routing::post;

    use super::*;

    async fn answer(door: &Door, request: Request) -> (StatusCode, String) {
        let response = door.router().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn get(path: &str) -> Request {
        Request::get(path).body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn probes_are_answered_while_the_process_starts_and_say_what_is_waited_for() {
        let door = Door::new(Duration::ZERO);
        door.waits_for("the log");
        assert_eq!(answer(&door, get("/livez")).await.0, StatusCode::OK);
        let (status, text) = answer(&door, get("/readyz")).await;
        assert_eq!((status, text.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "starting: waits for the log\n"));
        let (status, text) = answer(&door, get("/orders/1")).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("waits for the log"), "{text}");
        door.open(Router::new().route("/orders/1", axum::routing::get(|| async { "here" })));
        assert_eq!(answer(&door, get("/orders/1")).await, (StatusCode::OK, "here".to_owned()));
    }

    #[tokio::test]
    async fn a_request_that_comes_while_the_process_starts_is_answered_once_it_has() {
        let door = Door::new(Duration::from_mins(1));
        let asked = answer(&door, get("/orders/1"));
        let opening = async {
            tokio::task::yield_now().await;
            door.open(Router::new().route("/orders/1", axum::routing::get(|| async { "here" })));
        };
        assert_eq!(tokio::join!(asked, opening).0, (StatusCode::OK, "here".to_owned()));
    }

    #[tokio::test]
    async fn a_path_that_does_not_exist_is_a_problem_that_names_it() {
        let door = Door::new(Duration::ZERO);
        door.open(Router::new());
        let (status, text) = answer(&door, get("/ordres")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(text.contains("GET /ordres: this server has no such path"), "{text}");
    }

    #[tokio::test]
    async fn what_a_role_lacks_is_answered_by_the_rest_and_by_nothing_but_the_rest() {
        let door = Door::new(Duration::ZERO);
        let own = Router::new().route("/orders", post(|| async { "own" }));
        door.open_with_rest(own, Router::new().fallback(|method: Method| async move { format!("rest {method}") }));
        let response = door.router().oneshot(get("/orders")).await.unwrap();
        assert!(!response.headers().contains_key(header::ALLOW), "the rest has answered, with success");
        for (method, path, expected) in [
            (Method::POST, "/orders", "own"),
            (Method::GET, "/orders", "rest GET"),
            (Method::PUT, "/graphql", "rest PUT"),
        ] {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            assert_eq!(answer(&door, request).await, (StatusCode::OK, expected.to_owned()), "{path}");
        }
    }

    #[tokio::test]
    async fn a_method_that_a_role_lacks_is_refused_with_those_that_it_has() {
        let door = Door::new(Duration::ZERO);
        door.open(Router::new().route("/orders", post(|| async { "own" })));
        let response = door.router().oneshot(get("/orders")).await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "POST");
        let (_, text) = answer(&door, get("/orders")).await;
        assert!(text.contains("GET is not allowed on /orders"), "{text}");
    }

    #[tokio::test]
    async fn the_stages_of_a_start_end_when_the_door_opens() {
        let door = Door::new(Duration::ZERO);
        let mut stages = door.stages();
        assert_eq!(stages.next().await, Some("the process"));
        door.waits_for("the log");
        assert_eq!(stages.next().await, Some("the log"));
        assert!(door.is_live().await);
        door.open(Router::new());
        assert_eq!(stages.next().await, None);
        assert!(!door.is_live().await, "the role has no probe");
    }

    #[tokio::test]
    async fn an_encoded_body_is_refused_and_not_called_malformed() {
        let door = Door::new(Duration::ZERO);
        door.open(Router::new().route("/orders", post(|| async { "taken" })));
        let posted = |encoding: &str| {
            Request::post("/orders").header(header::CONTENT_ENCODING, encoding).body(Body::from("{}")).unwrap()
        };
        let (status, text) = answer(&door, posted("gzip")).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(text.contains("gzip"), "{text}");
        assert_eq!(answer(&door, posted("Identity")).await.0, StatusCode::OK);
    }
}
