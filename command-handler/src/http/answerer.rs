//! Whether a caller may answer a request: the one place that decides it.
//!
//! The token in the address of the callback lets its bearer answer that request. It is checked
//! before anything of the order is read, so a wrong one does not reveal whether the order exists.

use access::{Caller, NotAuthenticated, Operation};
use chrono::{DateTime, Utc};
use domain::ids::OrderId;
use domain::order::Direction;
use http_problem::Problem;
use reqwest::Url;
use signing::callback::Rejected;
use tracing::warn;

use super::own;
use crate::callbacks::Callbacks;
use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::Orchestrator;
use crate::participants::Participants;

/// The most characters of a step's name in a log line.
const MAX_SHOWN: usize = 100;

/// The query of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AnswerQuery {
    /// Whether the answer is for an action, or for its undo.
    pub direction: Direction,
    /// The token of the callback.
    pub token: Option<String>,
}

impl AnswerQuery {
    /// Reads a query. An error does not repeat it, since it may have a token.
    pub fn read(query: Option<&str>) -> Result<Self, Problem> {
        let (mut direction, mut token) = (None, None);
        for (name, value) in pairs(query.unwrap_or_default()) {
            let seen = match name.as_str() {
                "direction" => direction.replace(read_direction(&value)?).is_some(),
                "token" => token.replace(value).is_some(),
                _ => return Err(wrong(&format!("has the unknown parameter {:?}", shown(&name)))),
            };
            if seen {
                return Err(wrong(&format!("has the parameter {name} more than once")));
            }
        }
        Ok(Self { direction: direction.unwrap_or(Direction::Do), token })
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    // A base that is never shown: only its query is read.
    let Ok(mut url) = Url::parse("http://localhost/") else { return Vec::new() };
    url.set_query(Some(query).filter(|query| !query.is_empty()));
    url.query_pairs().into_owned().collect()
}

fn read_direction(value: &str) -> Result<Direction, Problem> {
    match value {
        "do" => Ok(Direction::Do),
        "undo" => Ok(Direction::Undo),
        other => Err(wrong(&format!("has the direction {:?}", shown(other)))),
    }
}

fn wrong(what: &str) -> Problem {
    let allowed = "allowed are direction=do or direction=undo, and the token of a callback";
    Problem::at("", format!("the query {what}; {allowed}"))
}

fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

/// What a request shows of its right to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// The token of the callback.
    Token,
    /// Nothing: the caller's role decides.
    Nothing,
}

/// Checks the token of a request, if it has one. A token that is sent has to be right.
///
/// A pause and an interim answer move the deadline of a step. So a token that has expired is
/// accepted while `still_waits`.
pub(super) async fn prove(
    callbacks: Option<&Callbacks>,
    (order, step): (&OrderId, &str),
    query: &AnswerQuery,
    now: DateTime<Utc>,
    still_waits: impl Future<Output = Result<bool, Problem>>,
) -> Result<Proof, Problem> {
    let (Some(token), Some(callbacks)) = (&query.token, callbacks) else { return Ok(Proof::Nothing) };
    let reason = match callbacks.verify(token, (order, step, query.direction), now) {
        Ok(()) => return Ok(Proof::Token),
        Err(Rejected::Expired) if still_waits.await? => return Ok(Proof::Token),
        Err(reason) => reason,
    };
    if callbacks.count_rejection(reason) {
        let (step, word) = (shown(step), reason.as_str());
        warn!(%order, ?step, reason = word, "a later answer was refused: the token of its callback is wrong");
    }
    Err(refused(reason))
}

/// Lets a caller answer: with the token of the callback, or because of its role.
pub(super) async fn may_answer<L: Log, P: Participants, C: Clock>(
    orchestrator: &Orchestrator<L, P, C>,
    caller: &Caller,
    proof: Proof,
    (order, step, direction): (&OrderId, &str, Direction),
) -> Result<(), Problem> {
    match (proof, caller) {
        (Proof::Token, _) => Ok(()),
        (Proof::Nothing, Caller::Stranger) => {
            let missing = NotAuthenticated::Missing;
            Err(Problem::unauthenticated(format!("{missing}, or post the answer to the URL in Tenuto-Callback")))
        }
        (Proof::Nothing, Caller::Anyone | Caller::Known(_)) => {
            own::require(orchestrator, caller, Operation::AnswerStep, order, Some((step, direction))).await
        }
    }
}

/// The answer to a wrong token.
pub(super) fn refused(reason: Rejected) -> Problem {
    Problem::unauthenticated(format!("{reason}; post the answer to the URL that the request had in Tenuto-Callback"))
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use chrono::TimeDelta;

    use super::*;
    use crate::participants::failing_exchanges;

    fn read(query: &str) -> Result<AnswerQuery, Problem> {
        AnswerQuery::read(Some(query))
    }

    #[test]
    fn a_query_has_a_direction_and_a_token_at_most_once() {
        let with = |direction, token: Option<&str>| AnswerQuery { direction, token: token.map(str::to_owned) };
        assert_eq!(AnswerQuery::read(None), Ok(with(Direction::Do, None)));
        for (query, expected) in [
            ("", with(Direction::Do, None)),
            ("direction=do", with(Direction::Do, None)),
            ("direction=undo", with(Direction::Undo, None)),
            ("token=1.a.b", with(Direction::Do, Some("1.a.b"))),
            ("direction=undo&token=1.a.b", with(Direction::Undo, Some("1.a.b"))),
            ("token=1%2Ea.b&direction=undo", with(Direction::Undo, Some("1.a.b"))),
            ("token=", with(Direction::Do, Some(""))),
        ] {
            assert_eq!(read(query), Ok(expected), "{query}");
        }
        for query in
            ["direction=up", "direction=do&direction=do", "token=s3cret&token=s3cret", "other=1&token=s3cret", "s3cret"]
        {
            let problem = read(query).unwrap_err();
            assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY, "{query}");
            let is_name = query == "s3cret";
            assert!(problem.detail().contains("direction=undo") && (is_name || !problem.detail().contains("s3cret")));
        }
    }

    /// The answer to a request for step `a` with this token, so long after the deadline.
    async fn answered(token: Option<&str>, step: &str, after: TimeDelta, still_waits: bool) -> Result<Proof, Problem> {
        let (callbacks, request) = (Callbacks::with_secret(1), failing_exchanges::ask("http://p", 1));
        let token = match token {
            Some("its own") => Some(callbacks.token(&request)),
            other => other.map(str::to_owned),
        };
        let query = AnswerQuery { direction: Direction::Do, token };
        let (now, waits) = (request.attempt.deadline + after, std::future::ready(Ok(still_waits)));
        let answered = prove(Some(&callbacks), (&request.order_id, step), &query, now, waits).await;
        let count: u64 = callbacks.rejections().map(|(_, count)| count).sum();
        assert_eq!(count, u64::from(answered.is_err()), "each refusal is counted");
        answered
    }

    #[tokio::test]
    async fn a_right_token_or_none_is_accepted_and_a_wrong_one_is_not_repeated() {
        let soon = TimeDelta::zero();
        assert_eq!(answered(None, "a", soon, true).await, Ok(Proof::Nothing), "the role of the caller decides");
        assert_eq!(answered(Some("its own"), "a", soon, true).await, Ok(Proof::Token));
        for (token, step) in [("its own", "b"), ("s3cret", "a"), ("", "a"), ("1.a.s3cret", "a")] {
            let problem = answered(Some(token), step, soon, true).await.unwrap_err();
            assert_eq!(problem.status(), StatusCode::UNAUTHORIZED);
            assert!(!problem.detail().contains("s3cret"), "{}", problem.detail());
        }
    }

    #[tokio::test]
    async fn an_expired_token_is_accepted_while_its_step_waits_for_the_answer() {
        let late = TimeDelta::days(31);
        assert_eq!(answered(Some("its own"), "a", TimeDelta::days(29), false).await, Ok(Proof::Token));
        assert_eq!(answered(Some("its own"), "a", late, true).await, Ok(Proof::Token), "a pause moved the deadline");
        let problem = answered(Some("its own"), "a", late, false).await.unwrap_err();
        assert!(problem.detail().contains("expired"), "{}", problem.detail());
        assert!(answered(Some("its own"), "b", late, true).await.is_err(), "it is for another step");
    }
}
