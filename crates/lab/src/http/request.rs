//! What a caller sends: a definition, and what to try it with.

use domain::filter::OrderFilter;
use domain::order::request::{Violation, check};
use domain::order::{NewOrder, WorkflowRef};
use http_problem::Problem;
use http_request::{Fields, filter};
use serde_json::Value;

use crate::workflow::{Samples, sample_order};

/// A definition.
#[derive(Debug, PartialEq)]
pub(super) enum Definition {
    /// The text of a file.
    Text(String),
    /// A registered version.
    Registered(WorkflowRef),
}

/// The request for a backtest.
#[derive(Debug, PartialEq)]
pub(super) struct BacktestRequest {
    pub definition: Definition,
    /// Which orders are tried.
    pub filter: OrderFilter,
    /// A file of answers that participants would have given.
    pub answers: Option<String>,
    /// Whether a recorded answer counts only for the same input.
    pub same_input: bool,
}

/// The request for a test against all faults.
#[derive(Debug, PartialEq)]
pub(super) struct TestRequest {
    pub definition: Definition,
    /// The order to test with.
    pub order: NewOrder,
    /// The data in the answers of steps.
    pub data: Samples,
}

const WHAT: &str = "must be an object with \"text\" or \"workflow\"";

impl BacktestRequest {
    pub fn read(body: Value) -> Result<Self, Problem> {
        let mut fields = Fields::of(body, "", WHAT)?;
        let definition = definition(&mut fields);
        let filter = fields.take("where");
        let (answers, same_input) = (fields.text("answers", |_| None), fields.flag("sameInput"));
        let definition = complete(fields, definition)?;
        let filter = filter.map_or_else(|| Ok(OrderFilter::default()), criteria)?;
        Ok(Self { definition, filter, answers, same_input })
    }
}

impl TestRequest {
    pub fn read(body: Value) -> Result<Self, Problem> {
        let mut fields = Fields::of(body, "", WHAT)?;
        let definition = definition(&mut fields);
        let order = fields.take("order").map_or_else(|| Ok(sample_order()), |order| check(&order));
        let order = order.unwrap_or_else(|violations| {
            let below = |Violation { pointer, detail }| Violation { pointer: format!("/order{pointer}"), detail };
            fields.wrong_too(violations.into_iter().map(below).collect());
            sample_order()
        });
        let data = match fields.take("data") {
            None => Samples::new(),
            Some(Value::Object(data)) => data.into_iter().collect(),
            Some(_) => {
                fields.wrong("data", "must be an object: {\"STEP\": DATA, …}");
                Samples::new()
            }
        };
        let definition = complete(fields, definition)?;
        Ok(Self { definition, order, data })
    }
}

fn criteria(value: Value) -> Result<OrderFilter, Problem> {
    filter::criteria(value, "/where").map(|(filter, _)| filter)
}

/// The definition, unless something is wrong with the request.
fn complete(fields: Fields, definition: Option<Definition>) -> Result<Definition, Problem> {
    fields.finish()?;
    definition.ok_or_else(|| Problem::at("", WHAT))
}

fn definition(fields: &mut Fields) -> Option<Definition> {
    match (fields.has("text"), fields.take("workflow")) {
        (true, None) => fields.text("text", |_| None).map(Definition::Text),
        (false, Some(version)) => registered(fields, version),
        (true, Some(_)) => {
            fields.take("text");
            fields.wrong("workflow", "excludes \"text\": there is one definition");
            None
        }
        (false, None) => {
            fields.wrong("text", "must be there: a workflow file; or \"workflow\", for a registered version");
            None
        }
    }
}

fn registered(fields: &mut Fields, version: Value) -> Option<Definition> {
    let mut of = fields.below(version, "/workflow", "must be an object with \"name\" and \"version\"")?;
    let name = of.required_text("name", "the workflow's name", |_| None);
    let is_given = of.has("version");
    let version = of.whole_number("version", 1, "from 1 on");
    if !is_given {
        of.wrong("version", "must be there: a number from 1 on");
    }
    fields.wrong_too(of.faults());
    version.map(|version| Definition::Registered(WorkflowRef { name, version }))
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use domain::order::State;
    use serde_json::json;

    use super::*;

    /// The pointers of what is wrong with a request.
    async fn faults(problem: Problem) -> Vec<String> {
        let body = axum::body::to_bytes(problem.into_response().into_body(), usize::MAX).await.unwrap();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_backtest_has_a_definition_and_a_filter() {
        let read = BacktestRequest::read(json!({
            "workflow": { "name": "w", "version": 2 }, "where": { "state": "COMPLETED" },
            "answers": "answers: {}", "sameInput": true,
        }));
        let definition = Definition::Registered(WorkflowRef { name: "w".to_owned(), version: 2 });
        let filter = OrderFilter { states: Some(vec![State::Completed]), ..OrderFilter::default() };
        let answers = Some("answers: {}".to_owned());
        assert_eq!(read.unwrap(), BacktestRequest { definition, filter, answers, same_input: true });
        let read = BacktestRequest::read(json!({ "text": "workflow: w" })).unwrap();
        assert_eq!(
            (read.definition, read.filter),
            (Definition::Text("workflow: w".to_owned()), OrderFilter::default())
        );
    }

    #[test]
    fn a_test_has_an_order_and_data_or_those_of_northwind() {
        let read = TestRequest::read(json!({ "text": "…", "data": { "a": { "score": 7 } } })).unwrap();
        assert_eq!((&read.order, &read.data["a"]), (&sample_order(), &json!({ "score": 7 })));
    }

    #[tokio::test]
    async fn each_fault_is_reported_with_its_place() {
        for (body, pointers) in [
            (json!([]), vec![""]),
            (json!({}), vec!["/text"]),
            (json!({ "text": 1 }), vec!["/text"]),
            (json!({ "text": "…", "workflow": { "name": "w", "version": 1 } }), vec!["/workflow"]),
            (json!({ "workflow": "w" }), vec!["/workflow"]),
            (json!({ "workflow": {} }), vec!["/workflow/name", "/workflow/version"]),
            (json!({ "workflow": { "name": "w", "version": 0 } }), vec!["/workflow/version"]),
            (json!({ "text": "…", "where": { "sate": "RUNNING" } }), vec!["/where/sate"]),
            (json!({ "text": "…", "sameInput": "yes", "of": 1 }), vec!["/sameInput", "/of"]),
        ] {
            assert_eq!(faults(BacktestRequest::read(body.clone()).unwrap_err()).await, pointers, "{body}");
        }
        for (body, pointers) in [
            (json!({ "text": "…", "data": [] }), vec!["/data"]),
            (json!({ "text": "…", "order": [] }), vec!["/order"]),
            (json!({ "text": "…", "where": {} }), vec!["/where"]),
        ] {
            assert_eq!(faults(TestRequest::read(body.clone()).unwrap_err()).await, pointers, "{body}");
        }
    }
}
