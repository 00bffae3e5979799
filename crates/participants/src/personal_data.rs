//! Personal data of requests by events. These have placeholders, and a URL for the personal data:
//! the log keeps everything, but personal data may have to be erased (Claim Check in Enterprise
//! Integration Patterns).

use std::time::Duration;

use axum::http::StatusCode;
use domain::order::PersonalData;
use domain::wire::participants::ActionRequested;
use http_client::Destinations;
use http_problem::Problem;
use serde::Deserialize;

/// The time-out of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer, in bytes. A whole order is at most 1 MiB.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Requests personal data.
pub(crate) struct Claims {
    client: reqwest::Client,
}

/// The part of a problem that this client reads.
#[derive(Default, Deserialize)]
struct ProblemDetail {
    detail: Option<String>,
}

/// Why the personal data did not come.
pub(crate) enum ClaimError {
    /// A retry may succeed.
    Later(String),
    /// They are erased.
    Never(Problem),
    /// They cannot be read until a person corrects something.
    Held(String),
}

impl Claims {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        let client = Destinations::default().client_builder(None)?.timeout(TIMEOUT).build()?;
        Ok(Self { client })
    }

    /// The request with its placeholders filled in.
    pub(crate) async fn filled_in(&self, mut requested: ActionRequested) -> Result<ActionRequested, ClaimError> {
        if let Some(url) = requested.personal_data.take() {
            let placeholders = requested.placeholders.take();
            requested.input = self.claim(&url).await?.fill_in(&requested.input, placeholders.as_ref()).into_owned();
        }
        Ok(requested)
    }

    async fn claim(&self, url: &str) -> Result<PersonalData, ClaimError> {
        let later = |what: String| ClaimError::Later(format!("the personal data cannot be fetched from {url}: {what}"));
        let response = self.client.get(url).send().await.map_err(|error| later(error.to_string()))?;
        let status = response.status();
        let (body, broken) = http_client::at_most(response, MAX_ANSWER).await;
        match status {
            StatusCode::OK => match broken {
                Some(error) => Err(later(error.to_string())),
                None => serde_json::from_slice(&body).map_err(|error| later(error.to_string())),
            },
            StatusCode::GONE => Err(ClaimError::Never(Problem::gone("the personal data that it needs were erased"))),
            StatusCode::FAILED_DEPENDENCY => {
                let problem: ProblemDetail = serde_json::from_slice(&body).unwrap_or_default();
                Err(ClaimError::Held(
                    problem.detail.unwrap_or_else(|| "the personal data that it takes cannot be read".into()),
                ))
            }
            status => Err(later(format!("it answered {status}"))),
        }
    }
}
