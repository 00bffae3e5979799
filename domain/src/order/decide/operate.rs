//! The own effect of an operator's operation.

use super::decision::{DecideError, Decision};
use super::{cancel, note, pause, retry, skip};
use crate::order::command::Operate;
use crate::order::operation::Operation;
use crate::order::state::Order;
use crate::workflow::Workflow;

pub(super) fn operate(
    workflow: &Workflow,
    state: &Order,
    operate: &Operate,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    match &operate.operation {
        Operation::Cancel => cancel::cancel(state, operate, decision),
        Operation::Note => note::note(state, operate, decision),
        Operation::Pause => pause::pause(state, operate, decision),
        Operation::Resume => pause::resume(state, operate, decision),
        Operation::Retry { step } => retry::retry(workflow, state, operate, step.as_ref(), decision),
        Operation::Skip { step, outcome, data } => {
            skip::skip(workflow, state, operate, step, (outcome.as_deref(), data), decision)
        }
    }
}
