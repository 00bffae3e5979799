//! Workflow files before they ship: loading them with their faults, and what a test of one needs.

use std::path::Path;

use domain::backtest::Rules;
use domain::fault_matrix::MatrixReport;
pub use domain::fault_matrix::Samples;
use domain::order::NewOrder;
use domain::order::request::check;
use domain::workflow::{Faults, Workflow};
use serde_json::{Value, json};

/// The JSON Schema of the format, for editors.
pub const SCHEMA: &str = include_str!("../../../workflows/schema.json");

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not a workflow, or not a file of answers: each fault with its place.
    #[error("{}", faults.iter().map(|fault| format!("{path}:{fault}")).collect::<Vec<_>>().join("\n"))]
    Faults {
        /// The file.
        path: String,
        /// The faults.
        faults: Faults,
    },
    /// It is not an order, or not a file of samples.
    #[error("{path}: {fault}")]
    Content {
        /// The file.
        path: String,
        /// The fault.
        fault: String,
    },
}

/// Loads a workflow.
pub fn load(file: &Path) -> Result<Workflow, FileError> {
    let faulty = |faults| FileError::Faults { path: file.display().to_string(), faults };
    Workflow::parse(&read(file)?).map_err(faulty)
}

/// Reads the rules that answer in a backtest of this workflow.
pub fn read_rules(file: &Path, workflow: &Workflow) -> Result<Rules, FileError> {
    let faulty = |faults| FileError::Faults { path: file.display().to_string(), faults };
    Rules::parse(&read(file)?, workflow).map_err(faulty)
}

/// Reads an order to test with.
pub fn read_order(file: &Path) -> Result<NewOrder, FileError> {
    content(file, order_of)
}

/// Reads the data that the answers of steps carry in a test.
pub fn read_samples(file: &Path) -> Result<Samples, FileError> {
    content(file, samples_of)
}

fn read(file: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(file).map_err(|source| FileError::Read { path: file.display().to_string(), source })
}

/// Why a test in which no step began is no success.
pub const NOTHING_TESTED: &str = "nothing was tested: no step ever begins with this order; give another one";

/// Whether no step began in any life: then nothing could go wrong.
pub fn saw_nothing(workflow: &Workflow, report: &MatrixReport) -> bool {
    report.never_begun.len() == workflow.steps.len() + workflow.compensated.len()
}

/// Reads a file of JSON, and says what is wrong with it.
fn content<T>(file: &Path, read_it: fn(&Value) -> Result<T, String>) -> Result<T, FileError> {
    let value = domain::json::parse(read(file)?.as_bytes()).map_err(|error| error.to_string());
    value
        .and_then(|value| read_it(&value))
        .map_err(|fault| FileError::Content { path: file.display().to_string(), fault })
}

fn order_of(value: &Value) -> Result<NewOrder, String> {
    check(value).map_err(|violations| {
        let told = violations.iter().map(|violation| format!("{}: {}", violation.pointer, violation.detail));
        told.collect::<Vec<_>>().join("; ")
    })
}

fn samples_of(value: &Value) -> Result<Samples, String> {
    let steps = value.as_object().ok_or("must be an object: {\"STEP\": DATA, …}")?;
    Ok(steps.iter().map(|(step, data)| (step.clone(), data.clone())).collect())
}

/// The first order of Northwind.
#[expect(clippy::missing_panics_doc, reason = "the order is fixed, and a test checks it")]
pub fn sample_order() -> NewOrder {
    let order = json!({
        "orderId": "10248",
        "workflow": "tried",
        "customer": { "id": "VINET", "name": "Vins et alcools Chevalier", "email": "orders@vinet.example" },
        "currency": "EUR",
        "lines": [
            { "sku": "11", "name": "Queso Cabrales", "quantity": 12, "unitPrice": "14.00" },
            { "sku": "42", "name": "Singaporean Hokkien Fried Mee", "quantity": 10, "unitPrice": "9.80" },
            { "sku": "72", "name": "Mozzarella di Giovanni", "quantity": 5, "unitPrice": "34.80" },
        ],
        "shipTo": { "street": "59 rue de l'Abbaye", "city": "Reims", "postalCode": "51100", "country": "France" },
    });
    #[expect(clippy::expect_used, reason = "the order is fixed, and a test checks it")]
    check(&order).expect("an order without fault")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_to_try_with_is_one() {
        assert_eq!(sample_order().lines.len(), 3);
    }

    #[test]
    fn what_is_wrong_with_an_order_is_named_with_its_place() {
        let error = order_of(&json!({ "workflow": "w" })).unwrap_err();
        assert!(error.contains("/customer") && error.contains("/lines"), "{error}");
        assert!(samples_of(&json!([])).is_err());
    }
}
