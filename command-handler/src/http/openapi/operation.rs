//! Builds the description of one operation, next to its handler.
//!
//! The statuses of its errors are not written down: they are those of the [`Problem`]s that the
//! handler's own mapping makes of its errors. An answer's example is a value of the type that the
//! handler sends.

use axum::http::Method;
use http_problem::Problem;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::parts::{refusal, schema_ref};
use super::shared::Shared;

/// An operation: a method on a path.
pub(in crate::http) struct Operation {
    pub path: String,
    pub method: Method,
    fields: Map<String, Value>,
    parameters: Vec<Value>,
    responses: Map<String, Value>,
}

impl Operation {
    pub fn get(path: &str, id: &str, tag: &str, summary: &str) -> Self {
        Self::new(Method::GET, path, id, tag, summary)
    }

    pub fn post(path: &str, id: &str, tag: &str, summary: &str) -> Self {
        Self::new(Method::POST, path, id, tag, summary)
    }

    pub fn new(method: Method, path: &str, id: &str, tag: &str, summary: &str) -> Self {
        let fields = [("operationId", json!(id)), ("tags", json!([tag])), ("summary", json!(summary))];
        Self {
            path: path.to_owned(),
            method,
            fields: fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
            parameters: Vec::new(),
            responses: Map::new(),
        }
    }

    pub fn description(self, text: &str) -> Self {
        self.with("description", json!(text))
    }

    /// A parameter: its own, or a reference to a shared one.
    pub fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// What the request's body is.
    pub fn body(self, body: Value) -> Self {
        self.with("requestBody", body)
    }

    /// An answer as JSON, with an example and the name of its schema.
    pub fn answer(self, status: u16, description: &str, schema: &str, example: &impl Serialize) -> Self {
        let content = json!({ "application/json": { "schema": schema_ref(schema), "example": example } });
        self.answer_with(status, json!({ "description": description, "content": content }))
    }

    /// An answer that has more to it.
    pub fn answer_with(mut self, status: u16, response: Value) -> Self {
        self.responses.insert(status.to_string(), response);
        self
    }

    /// A refusal, with an example for each cause. Its status is that of the examples.
    #[expect(clippy::needless_pass_by_value, reason = "each caller makes its examples for this")]
    pub fn refusal<const N: usize>(self, description: &str, causes: [(&str, Problem); N]) -> Self {
        let (status, response) = refusal(description, &causes);
        self.answer_with(status, response)
    }

    /// Answers that other operations give, too.
    pub fn shared<const N: usize>(self, answers: [Shared; N]) -> Self {
        answers.into_iter().fold(self, |operation, shared| operation.answer_with(shared.status(), shared.reference()))
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.fields.insert(name.to_owned(), value);
        self
    }

    /// The operation as the document has it.
    pub fn into_json(self) -> Value {
        let Self { mut fields, parameters, responses, .. } = self;
        if !parameters.is_empty() {
            fields.insert("parameters".to_owned(), Value::Array(parameters));
        }
        fields.insert("responses".to_owned(), Value::Object(responses));
        Value::Object(fields)
    }
}
