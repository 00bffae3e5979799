//! Personal data of requests by events. These have placeholders, and a URL for the personal data:
//! the log keeps everything, but personal data may have to be erased (Claim Check in Enterprise
//! Integration Patterns).

use std::time::Duration;

use axum::http::StatusCode;
use domain::order::PersonalData;
use domain::wire::participants::ActionRequested;
use serde::Deserialize;

use crate::problem::Problem;

/// The time-out of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Requests personal data.
pub(crate) struct Claims {
    client: reqwest::Client,
}

/// The part of a problem that this client reads.
#[derive(Default, Deserialize)]
struct Told {
    detail: Option<String>,
}

/// Why the personal data did not come.
pub(crate) enum NoClaim {
    /// A retry may succeed.
    Later(String),
    /// They are erased.
    Never(Problem),
    /// They cannot be read until a person corrects something.
    Held(String),
}

impl Claims {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        let client = http_client::builder()?.timeout(TIMEOUT).build()?;
        Ok(Self { client })
    }

    /// The request with its placeholders filled in.
    pub(crate) async fn filled_in(&self, mut asked: ActionRequested) -> Result<ActionRequested, NoClaim> {
        if let Some(url) = asked.personal_data.take() {
            let placeholders = asked.placeholders.take();
            asked.input = self.claim(&url).await?.fill_in(&asked.input, placeholders.as_ref()).into_owned();
        }
        Ok(asked)
    }

    async fn claim(&self, url: &str) -> Result<PersonalData, NoClaim> {
        let later = |what: String| NoClaim::Later(format!("the personal data cannot be fetched from {url}: {what}"));
        let response = self.client.get(url).send().await.map_err(|error| later(error.to_string()))?;
        match response.status() {
            StatusCode::OK => response.json().await.map_err(|error| later(error.to_string())),
            StatusCode::GONE => {
                Err(NoClaim::Never(Problem::new(StatusCode::GONE, "the personal data that it needs were erased")))
            }
            StatusCode::FAILED_DEPENDENCY => {
                let told: Told = response.json().await.unwrap_or_default();
                Err(NoClaim::Held(
                    told.detail.unwrap_or_else(|| "the personal data that it takes cannot be read".into()),
                ))
            }
            status => Err(later(format!("it answered {status}"))),
        }
    }
}
