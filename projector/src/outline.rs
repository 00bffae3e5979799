//! What readers of orders need of a workflow's definition: its steps in the order of the file, without parsing the file again.

use domain::workflow::{Step, Workflow};
use serde::Serialize;

/// One step of a definition.
#[derive(Debug, Serialize)]
pub(crate) struct OutlineStep {
    id: String,
    participant: Option<String>,
    action: Option<String>,
    mode: &'static str,
    after: Vec<String>,
    /// Whether it runs only once everything is undone.
    compensated: bool,
}

/// The steps forward, then those after compensation.
pub(crate) fn outline(workflow: &Workflow) -> Vec<OutlineStep> {
    let forward = workflow.steps.iter().map(|step| outlined(step, false));
    forward.chain(workflow.compensated.iter().map(|step| outlined(step, true))).collect()
}

fn outlined(step: &Step, compensated: bool) -> OutlineStep {
    OutlineStep {
        id: step.id.clone(),
        participant: step.action.as_ref().map(|action| action.participant.clone()),
        action: step.action.as_ref().map(|action| action.action.clone()),
        mode: step.mode.as_str(),
        after: step.after.clone(),
        compensated,
    }
}
