//! `tenuto workflow test`: a workflow file against everything that can go wrong, before it ships.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use domain::fault_matrix::{self, MatrixReport, Samples};
use domain::order::NewOrder;
use domain::order::request::check;
use domain::workflow::Workflow;
use serde_json::{Value, json};

use super::{FileError, parse, read};
use crate::LabError;
use command_line::output;

/// How many of the lives that went wrong are told whole.
const MAX_TOLD: usize = 5;

/// Options of `tenuto workflow test`.
#[derive(Debug, Args)]
pub(super) struct TrialArgs {
    /// Workflow files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// An order to try them with, as JSON; without it, one of Northwind's
    #[arg(long, value_name = "FILE")]
    order: Option<PathBuf>,
    /// What the answers of steps carry, as JSON: {"STEP": DATA, …}. What expressions read and nobody gives is made up, as a text
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
}

/// The exit code for "there was nothing to test".
const NOT_KNOWN: u8 = 2;

/// Exit code 1: a file is wrong, or failed a case; 2: there was nothing to test.
pub(super) fn run(args: &TrialArgs) -> Result<ExitCode, LabError> {
    let order = args.order.as_deref().map_or_else(|| Ok(northwinds()), |file| content(file, read_order))?;
    let samples = args.data.as_deref().map_or_else(|| Ok(Samples::new()), |file| content(file, read_samples))?;
    let mut code = ExitCode::SUCCESS;
    for file in &args.files {
        let Some(workflow) = parse(file)? else {
            code = ExitCode::FAILURE;
            continue;
        };
        let report = fault_matrix::run(&workflow, &order, &samples);
        output::print(&told(file, &report))?;
        if !report.failures.is_empty() {
            code = ExitCode::FAILURE;
        } else if saw_nothing(&workflow, &report) {
            output::complain(&format!(
                "{}: nothing was tested: no step ever begins with this order; give another --order",
                file.display()
            ));
            code = if code == ExitCode::SUCCESS { ExitCode::from(NOT_KNOWN) } else { code };
        }
    }
    Ok(code)
}

/// Whether no step began in any life: then nothing could go wrong.
fn saw_nothing(workflow: &Workflow, report: &MatrixReport) -> bool {
    report.never_begun.len() == workflow.steps.len() + workflow.compensated.len()
}

fn told(file: &Path, report: &MatrixReport) -> String {
    let (cases, failures) = (report.cases(), report.failures.len());
    let mut lines = vec![format!("{}: {cases} cases, {} right, {failures} wrong", file.display(), cases - failures)];
    lines.extend(report.kinds.iter().map(|(kind, count)| format!("  {count:>6}  {kind}")));
    let never_begun = report.never_begun.iter();
    lines.extend(
        never_begun.map(|id| format!("  never begun: {id} (its guard asks for another --order, or other --data)")),
    );
    for failure in report.failures.iter().take(MAX_TOLD) {
        lines.push(format!("\n  {}", failure.case));
        lines.extend(failure.wrong.iter().map(|wrong| format!("    wrong: {wrong}")));
        lines.extend(failure.history.iter().map(|told| format!("    {told}")));
    }
    if failures > MAX_TOLD {
        lines.push(format!("\n  … and {} more", failures - MAX_TOLD));
    }
    lines.join("\n") + "\n"
}

/// Reads a file of JSON, and says what is wrong with it.
fn content<T>(file: &Path, read_it: fn(&Value) -> Result<T, String>) -> Result<T, FileError> {
    let value = domain::json::parse(read(file)?.as_bytes()).map_err(|error| error.to_string());
    value
        .and_then(|value| read_it(&value))
        .map_err(|fault| FileError::Content { path: file.display().to_string(), fault })
}

fn read_order(value: &Value) -> Result<NewOrder, String> {
    check(value).map_err(|violations| {
        let told = violations.iter().map(|violation| format!("{}: {}", violation.pointer, violation.detail));
        told.collect::<Vec<_>>().join("; ")
    })
}

fn read_samples(value: &Value) -> Result<Samples, String> {
    let steps = value.as_object().ok_or("must be an object: {\"STEP\": DATA, …}")?;
    Ok(steps.iter().map(|(step, data)| (step.clone(), data.clone())).collect())
}

/// The first order of Northwind.
fn northwinds() -> NewOrder {
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
        assert_eq!(northwinds().lines.len(), 3);
    }

    #[test]
    fn a_workflow_whose_steps_never_begin_was_not_tested() {
        let folder = tempfile::tempdir().unwrap();
        let trial = |when: &str| {
            let file = folder.path().join("w.yaml");
            let source = format!(
                "workflow: w\nversion: 1\nparticipants: {{ p: {{ url: 'http://p' }} }}\nsteps: {{ a: {{ call: p.a, when: \"{when}\" }} }}\n"
            );
            std::fs::write(&file, source).unwrap();
            run(&TrialArgs { files: vec![file], order: None, data: None }).unwrap()
        };
        assert_eq!(trial("order.currency == 'XXX'"), ExitCode::from(NOT_KNOWN));
        assert_eq!(trial("order.currency == 'EUR'"), ExitCode::SUCCESS);
    }

    #[test]
    fn what_is_wrong_with_an_order_is_named_with_its_place() {
        let error = read_order(&json!({ "workflow": "w" })).unwrap_err();
        assert!(error.contains("/customer") && error.contains("/lines"), "{error}");
        assert!(read_samples(&json!([])).is_err());
    }
}
