//! Requests by events have placeholders for personal data, and say where to ask for these: what is in the log stays there, and
//! personal data may have to go (Claim Check, in the words of Enterprise Integration Patterns).

use std::time::Duration;

use axum::http::StatusCode;
use domain::order::PersonalData;
use domain::wire::participants::ActionRequested;
use serde::Deserialize;

use crate::problem::Problem;

/// How long the answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks for personal data.
pub(crate) struct Claims {
    client: reqwest::Client,
}

/// A problem, as far as it is read.
#[derive(Default, Deserialize)]
struct Told {
    detail: Option<String>,
}

/// Why they did not come.
pub(crate) enum NoClaim {
    /// It may go better later.
    Later(String),
    /// They are gone.
    Never(Problem),
    /// They cannot be read until a person has mended something.
    Held(String),
}

impl Claims {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        let client = http_client::builder()?.timeout(TIMEOUT).build()?;
        Ok(Self { client })
    }

    /// The request with what its placeholders stand for.
    pub(crate) async fn filled_in(&self, mut asked: ActionRequested) -> Result<ActionRequested, NoClaim> {
        if let Some(url) = asked.personal_data.take() {
            let placeholders = asked.placeholders.take();
            asked.input = self.claim(&url).await?.fill_in(&asked.input, placeholders.as_ref()).into_owned();
        }
        Ok(asked)
    }

    async fn claim(&self, url: &str) -> Result<PersonalData, NoClaim> {
        let later = |what: String| NoClaim::Later(format!("the personal data cannot be had from {url}: {what}"));
        let response = self.client.get(url).send().await.map_err(|error| later(error.to_string()))?;
        match response.status() {
            StatusCode::OK => response.json().await.map_err(|error| later(error.to_string())),
            StatusCode::GONE => {
                Err(NoClaim::Never(Problem::new(StatusCode::GONE, "the personal data that it takes were erased")))
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
