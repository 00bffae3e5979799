//! The run of a test against all faults, case by case.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use domain::fault_matrix::{Failure, MatrixReport, run_watched};
use domain::order::NewOrder;
use domain::workflow::Workflow;
use serde_json::{Value, json};

use super::run::{End, Run};
use crate::workflow::{NOTHING_TESTED, Samples, saw_nothing};

/// The most cases that are shown with their history.
const MAX_SHOWN: usize = 10;

/// Tests a definition on another thread, because it only computes.
pub(super) async fn run(workflow: Workflow, order: NewOrder, data: Samples, run: Arc<Run>) -> End {
    let tested = tokio::task::spawn_blocking(move || test(&workflow, &order, &data, &run));
    tested.await.unwrap_or_else(|error| End::Failed(format!("it broke off: {error}")))
}

fn test(workflow: &Workflow, order: &NewOrder, data: &Samples, run: &Run) -> End {
    let (began, mut over, mut percent) = (Instant::now(), None, 0);
    let report = run_watched(workflow, order, data, &mut |explored| {
        percent = explored.paths * 100 / explored.all_paths.max(1);
        run.show(|| results(explored.report, percent, began));
        over = run.over();
        if over.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if let Some(reason) = over {
        return End::Stopped(results(&report, percent, began), reason);
    }
    if saw_nothing(workflow, &report) {
        return End::Failed(NOTHING_TESTED.to_owned());
    }
    let mut results = results(&report, 100, began);
    results["neverBegun"] = json!(report.never_begun);
    End::Done(results)
}

fn results(report: &MatrixReport, percent: usize, began: Instant) -> Value {
    let kinds = report.kinds.iter();
    let kinds = kinds.map(|(kind, lives)| json!({ "kind": kind, "cases": lives.cases, "wrong": lives.wrong }));
    let failures = report.failures.iter().take(MAX_SHOWN);
    let failures =
        failures.map(|Failure { case, wrong, history }| json!({ "case": case, "wrong": wrong, "history": history }));
    json!({
        "percent": percent,
        "cases": report.cases(),
        "wrong": report.wrong(),
        "kinds": kinds.collect::<Vec<_>>(),
        "failures": failures.collect::<Vec<_>>(),
        "seconds": began.elapsed().as_secs_f64(),
    })
}
