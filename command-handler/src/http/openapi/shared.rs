//! What several operations have in common: parameters, bodies, answers.

use access::{Denied, Forbidden, NotAuthenticated};
use domain::order::request::Violation;
use domain::order::{Refusal, State, StepStatus};
use http_problem::{Kind, Problem};
use http_request::body::{self as request_body, LARGEST_BODY};
use serde_json::{Value, json};

use super::example;
use super::parts::{body, refusal, schema_ref};
use crate::http::idempotency_key;
use crate::http::refused::problem;
use crate::orchestrator::{CommandError, NoDriver};

/// How long `GET /orders/{id}` waits at most, on the query side.
const MAX_WAIT_SECONDS: u32 = 60;

/// An answer of several operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Shared {
    OrderStands,
    WrongParameter,
    NoSuchOrderInViews,
    ViewsUnreadable,
    Operated,
    NothingToOperateOn,
    NotNow,
    WrongInstruction,
    Malformed,
    TooLarge,
    WrongMediaType,
    HistoryIncomplete,
    TryLater,
    NotAuthenticated,
    Forbidden,
    OtherServer,
    TooManyRequests,
}

fn denied(denied: &Denied) -> Problem {
    Problem::with_status(denied.status(), denied.to_string())
}

impl Shared {
    pub const ALL: [Self; 17] = [
        Self::OrderStands,
        Self::WrongParameter,
        Self::NoSuchOrderInViews,
        Self::ViewsUnreadable,
        Self::Operated,
        Self::NothingToOperateOn,
        Self::NotNow,
        Self::WrongInstruction,
        Self::Malformed,
        Self::TooLarge,
        Self::WrongMediaType,
        Self::HistoryIncomplete,
        Self::TryLater,
        Self::NotAuthenticated,
        Self::Forbidden,
        Self::OtherServer,
        Self::TooManyRequests,
    ];

    /// Those of every operation: the gate gives them, before the handler has the request.
    pub const OF_THE_GATE: [Self; 4] =
        [Self::NotAuthenticated, Self::Forbidden, Self::OtherServer, Self::TooManyRequests];

    /// Those of each operation that takes JSON.
    pub const OF_A_BODY: [Self; 4] = [Self::Malformed, Self::TooLarge, Self::WrongMediaType, Self::TryLater];

    /// Its name among the components, which is that of the variant.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    pub fn reference(self) -> Value {
        json!({ "$ref": format!("#/components/responses/{}", self.name()) })
    }

    pub fn status(self) -> u16 {
        self.described().0
    }

    pub fn response(self) -> Value {
        self.described().1
    }

    /// The answers of [`Self::OF_THE_GATE`].
    fn of_the_gate(self) -> (u16, Value) {
        match self {
            Self::NotAuthenticated => {
                let missing = Denied::NotAuthenticated(NotAuthenticated::Missing);
                let expired = Denied::NotAuthenticated(NotAuthenticated::Rejected("the token has expired".to_owned()));
                let causes = [("missing", denied(&missing)), ("expired", denied(&expired))];
                refusal(
                    "The request has no credentials, or they are not accepted. `WWW-Authenticate` is RFC 6750's.",
                    &causes,
                )
            }
            Self::Forbidden => {
                let (caller, operation) = ("ann@company".to_owned(), access::Operation::PlaceOrder);
                let forbidden = Denied::Forbidden(Forbidden { caller, operation });
                let origin = Denied::Refused(access::Refusal::OtherOrigin("https://evil.example".to_owned()));
                let causes = [("role", denied(&forbidden)), ("page", denied(&origin))];
                refusal("The caller's roles do not allow this, or a page of another site sent the request.", &causes)
            }
            Self::OtherServer => {
                let unknown = Denied::Refused(access::Refusal::UnknownHost("evil.example".to_owned()));
                refusal("`Host` names another server.", &[("host", denied(&unknown))])
            }
            _ => {
                let detail = "this caller sends more requests than it may; try again in 1 s";
                let problem = Problem::new(Kind::TooMany, detail);
                refusal("The caller has used its share. `Retry-After` says when to try again.", &[("rate", problem)])
            }
        }
    }

    fn described(self) -> (u16, Value) {
        match self {
            Self::OrderStands => {
                let example = json!({
                    "orderId": "10248", "status": "BackOrdered", "state": State::Waiting.as_str(),
                    "expectedAt": "2026-02-03T11:00:00Z", "revision": 11, "position": "14",
                });
                let content =
                    json!({ "application/json": { "schema": schema_ref("OrderStatus"), "example": example } });
                (200, json!({ "description": "The present status of the order.", "content": content }))
            }
            Self::WrongParameter => {
                let detail = format!(
                    "`wait` must be a whole number of seconds, at most {MAX_WAIT_SECONDS}, and `position` the number \
                     that a command was answered with"
                );
                refusal("A parameter has a value that is not allowed.", &[("wait", Problem::bad_request(detail))])
            }
            Self::NoSuchOrderInViews => {
                refusal("The views have no such order.", &[("order", Problem::not_found("There is no such order"))])
            }
            Self::ViewsUnreadable => {
                let problem = Problem::internal("the query failed for a reason that is not yours");
                refusal("The views cannot be read.", &[("views", problem)])
            }
            Self::Operated => {
                let content = json!({ "schema": schema_ref("Receipt"), "example": example::receipt(13, 16) });
                let description = "The command is in the log, and with it the events that follow at once.";
                (202, json!({ "description": description, "content": { "application/json": content } }))
            }
            Self::NothingToOperateOn => refusal(
                "The order, or the step in its workflow, does not exist.",
                &[("order", example::no_such_order()), ("step", example::no_such_step())],
            ),
            Self::NotNow => {
                let refused = |refusal: Refusal| problem(CommandError::Refused(refusal), "");
                refusal(
                    "The state of the order, or of its step, does not allow the command. `state` is the order's.",
                    &[
                        ("order", refused(Refusal::NotNow { operation: "cancel", state: State::Completed })),
                        (
                            "step",
                            refused(Refusal::StepNotNow {
                                operation: "skip",
                                step: "notify".to_owned(),
                                status: StepStatus::Pending,
                                state: State::Running,
                            }),
                        ),
                        ("nothing", refused(Refusal::NothingToRetry { state: State::Waiting })),
                    ],
                )
            }
            Self::WrongInstruction => refusal(
                "The body is wrong, or the step does not have this outcome.",
                &[("noReason", Problem::at("/reason", "must be there: why it is done, for the order's history"))],
            ),
            Self::NotAuthenticated | Self::Forbidden | Self::OtherServer | Self::TooManyRequests => self.of_the_gate(),
            Self::Malformed => {
                let detail = "the key \"workflow\" is given more than once";
                let violation = Violation { pointer: "/workflow".to_owned(), detail: detail.to_owned() };
                let not_json = Problem::bad_request(format!("{detail} (line 1, column 41)"));
                refusal(
                    "The body is not JSON, or incomplete; or the `Idempotency-Key` is malformed.",
                    &[
                        ("notJson", not_json.with_errors(vec![violation])),
                        ("idempotencyKey", idempotency_key::example_of_a_fault()),
                    ],
                )
            }
            Self::TooLarge => refusal(
                &format!("The body has more than {} MiB.", LARGEST_BODY / 1024 / 1024),
                &[("body", request_body::too_large())],
            ),
            Self::WrongMediaType => refusal(
                "The operation does not take this `Content-Type`.",
                &[("text", request_body::wrong_media_type("text/plain", &["application/json"]))],
            ),
            Self::HistoryIncomplete => {
                let reason = "the history of the order, stream order-10248, is incomplete: the stream was deleted. \
                              Nothing is done with the order until it is restored";
                let deleted = problem(CommandError::Incomplete(reason.to_owned()), "");
                let description = "An operator of the log has deleted the order's stream, or hidden events of it. Tenuto \
                                   refuses commands about the order until the stream is restored.";
                refusal(description, &[("deleted", deleted)])
            }
            Self::TryLater => {
                let description = "This instance is overloaded, or the log or Postgres does not answer. Nothing was \
                                   acknowledged: send the same request again.";
                let (status, mut response) = refusal(description, &[("busy", problem(NoDriver::Full.into(), ""))]);
                response["headers"] = json!({ "Retry-After": {
                    "required": true,
                    "description": "The number of seconds to wait.",
                    "schema": { "type": "integer", "minimum": 1 },
                    "example": 1,
                } });
                (status, response)
            }
        }
    }
}

/// The bodies of what operators send about one order.
pub(super) fn request_bodies() -> Value {
    json!({
        "Instruction": body("Instruction", &Value::Null, [
            ("asked", json!({ "reason": "the customer called", "actor": "ann" })),
        ]),
        "RetryInstruction": body("RetryInstruction", &Value::Null, [
            ("step", json!({ "reason": "payments is up again", "step": "charge" })),
        ]),
        "SkipInstruction": body("SkipInstruction", &Value::Null, [
            ("step", json!({
                "reason": "sent by hand", "actor": "ann", "step": "ship", "outcome": "shipped",
                "data": { "tracking": "T-1" },
            })),
        ]),
    })
}

/// Parameters of several operations.
pub(super) fn parameters() -> Value {
    json!({
        "Wait": {
            "name": "wait",
            "in": "query",
            "required": false,
            "description": "How many seconds to wait until the order ends or is stuck. After that time, the answer is \
                            the present status.",
            "schema": { "type": "integer", "minimum": 0, "maximum": MAX_WAIT_SECONDS },
            "example": 30,
        },
        "KnownPosition": {
            "name": "position",
            "in": "query",
            "required": false,
            "description": "The position in the answer to a command. The server answers once the views have reached \
                            it. If they have not within five seconds, the answer is 503 with their position.",
            "schema": schema_ref("Position"),
            "example": "14",
        },
        "OrderId": {
            "name": "id",
            "in": "path",
            "required": true,
            "description": "The order.",
            "schema": schema_ref("OrderId"),
            "example": "10248",
        },
        "IdempotencyKey": idempotency_key::parameter(),
        "Traceparent": {
            "name": "traceparent",
            "in": "header",
            "description": "W3C Trace Context. Tenuto keeps it with the order and sends it to participants. A value that \
                            is not valid is ignored.",
            "schema": {
                "type": "string",
                "pattern": "^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$",
            },
            "example": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        },
    })
}
