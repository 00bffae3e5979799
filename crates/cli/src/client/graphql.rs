//! Queries over GraphQL.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use reqwest::header::ACCEPT;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Answer, Client, shortened};
use crate::{CommandError, retry};

#[derive(Debug, Deserialize)]
struct GraphQlAnswer {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Vec<GraphQlError>,
}

#[derive(Debug, Deserialize)]
struct GraphQlError {
    message: String,
    #[serde(default)]
    path: Vec<Value>,
    #[serde(default)]
    extensions: Extensions,
}

impl GraphQlError {
    /// Whether the error belongs to this field of the query.
    fn is_of(&self, field: Option<&str>) -> bool {
        field.is_some_and(|field| self.path.first().is_some_and(|first| first == field))
    }
}

/// One message for each field that failed, often all for the same reason.
fn query_failed(url: &str, errors: &[GraphQlError]) -> Option<CommandError> {
    let messages: BTreeSet<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    let messages: Vec<&str> = messages.into_iter().collect();
    let failed = || CommandError::Query { url: url.to_owned(), messages: shortened(&messages.join("; ")) };
    (!errors.is_empty()).then(failed)
}

#[derive(Debug, Default, Deserialize)]
struct Extensions {
    #[serde(default)]
    code: Option<String>,
}

impl Client {
    /// Sends a query, and returns the `data` of the answer.
    pub async fn query<T: DeserializeOwned>(&self, query: &str, variables: &Value) -> Result<T, CommandError> {
        Ok(self.query_without(None, query, variables).await?.0)
    }

    /// Sends a query in which the field `optional` may fail: its error is returned next to the
    /// data.
    pub async fn query_without<T: DeserializeOwned>(
        &self,
        optional: Option<&str>,
        query: &str,
        variables: &Value,
    ) -> Result<(T, Option<CommandError>), CommandError> {
        let url = format!("{}/graphql", self.base);
        let body = json!({ "query": query, "variables": variables });
        let request = || {
            let accepted = "application/graphql-response+json, application/json;q=0.9";
            self.http.post(&url).header(ACCEPT, accepted).json(&body)
        };
        let again =
            |answer: &Answer| retry::is_transient(answer.status) || views_are_unavailable(&answer.body, optional);
        let answer = self.exchange(&url, request, again).await?;
        let Ok(response) = serde_json::from_slice::<GraphQlAnswer>(&answer.body) else {
            return Err(match answer.status {
                StatusCode::OK => answer.not_understood(url, "it is not GraphQL"),
                _ => answer.failure(url),
            });
        };
        let (forgiven, errors): (Vec<GraphQlError>, Vec<GraphQlError>) =
            response.errors.into_iter().partition(|error| error.is_of(optional));
        if let Some(error) = query_failed(&url, &errors) {
            return Err(error);
        }
        let forgiven = query_failed(&url, &forgiven);
        let data = T::deserialize(response.data);
        Ok((data.map_err(|error| CommandError::Answer { url, reason: error.to_string() })?, forgiven))
    }
}

/// Whether the views are unavailable for another field than the optional one.
fn views_are_unavailable(body: &[u8], optional: Option<&str>) -> bool {
    let away = |error: &GraphQlError| error.extensions.code.as_deref() == Some("UNAVAILABLE") && !error.is_of(optional);
    serde_json::from_slice::<GraphQlAnswer>(body).is_ok_and(|answer| answer.errors.iter().any(away))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub::Stub;

    #[tokio::test]
    async fn views_that_are_unavailable_are_asked_again_and_other_errors_are_told() {
        let stub = Stub::start().await;
        let unavailable =
            json!({ "data": null, "errors": [{ "message": "later", "extensions": { "code": "UNAVAILABLE" } }] });
        let broken = json!({ "errors": [{ "message": "no field b" }, { "message": "no field b" }] });
        stub.answers([unavailable, json!({ "data": { "a": 1 } }), broken]);
        let data: Value = stub.client().query("{ a }", &Value::Null).await.unwrap();
        assert_eq!(data, json!({ "a": 1 }));
        let error = stub.client().query::<Value>("{ b }", &Value::Null).await.unwrap_err();
        assert!(error.to_string().ends_with(": no field b"), "{error}");
    }

    #[tokio::test]
    async fn an_answer_that_is_no_graphql_is_shown() {
        let stub = Stub::start().await;
        stub.answers([json!("<html>")]);
        let error = stub.client().query::<Value>("{ a }", &Value::Null).await.unwrap_err().to_string();
        assert!(error.contains("it is not GraphQL: \"<html>\""), "{error}");
    }
}
