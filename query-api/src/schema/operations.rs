//! What a person may do to an order: decided by the rules of the command endpoint, on the order as
//! the log has it, and limited by what the caller may do at all.

use access::{Denied, Operation, Reach, SecondPerson};
use async_graphql::{Context, ID, Result, SimpleObject};
use chrono::Utc;
use domain::ids::OrderId;
use domain::order::{self, Allowance, Direction, Order};
use domain::workflow::Workflow;
use views::{OrderRow, ViewsError};

use super::enums::OperationKind;
use crate::error::QueryError;
use crate::history::{AsOf, History};
use crate::permission::{caller, reach};

/// An operation on an order or on one of its steps, and whether it is allowed.
#[derive(Debug, SimpleObject)]
pub struct OrderOperation {
    pub operation: OperationKind,
    /// The step that it is about; null: the order as a whole.
    pub step: Option<ID>,
    /// Whether it is about the undo of the step.
    undo: bool,
    /// Whether it would be taken. The order may change before the command arrives.
    pub allowed: bool,
    /// Why it would be refused; null: it is allowed.
    reason: Option<String>,
    /// Whether a second person has to approve it: the command is then recorded as a request.
    needs_second_person: bool,
    /// For a skip or an answer: the outcomes that it may name. Empty: it names none.
    outcomes: Vec<String>,
}

/// The operations on an order as it was at a moment. Without a step: those on the order as a whole,
/// and those on each step that has begun and is not settled.
pub async fn of(
    context: &Context<'_>,
    row: &OrderRow,
    workflow: &Workflow,
    moment: AsOf,
    step: Option<ID>,
) -> Result<Option<Vec<OrderOperation>>> {
    let id = OrderId::new(row.id.as_str()).map_err(|_| QueryError::from(ViewsError::Internal))?;
    let Some(state) = context.data::<History>()?.state(&id, moment).await? else { return Ok(None) };
    let now = Utc::now();
    let found: Vec<Allowance> = if let Some(step) = step {
        order::operations_on(workflow, &state, &step, now)
    } else {
        let steps = state.unsettled().flat_map(|step| order::operations_on(workflow, &state, step, now));
        order::operations(workflow, &state, now).into_iter().chain(steps).collect()
    };
    let limited = |allowance| limited(context, row, (&state, workflow), allowance);
    Ok(Some(found.into_iter().map(limited).collect()))
}

/// The caller's rights come first: a caller without them learns nothing else.
fn limited(
    context: &Context<'_>,
    row: &OrderRow,
    (state, workflow): (&Order, &Workflow),
    allowance: Allowance,
) -> OrderOperation {
    let Allowance { operation, step, is_undo, outcomes, refusal } = allowance;
    let right = match operation {
        order::OperationKind::Cancel => Operation::CancelOrder,
        order::OperationKind::Answer => Operation::AnswerStep,
        order::OperationKind::Note
        | order::OperationKind::Pause
        | order::OperationKind::Resume
        | order::OperationKind::Retry
        | order::OperationKind::Skip => Operation::OperateOrder,
    };
    let may = match reach(context, right) {
        Reach::Everything => true,
        reach @ Reach::Own(_) if operation == order::OperationKind::Answer => {
            let direction = if is_undo { Direction::Undo } else { Direction::Do };
            let asked = step.as_ref().and_then(|step| state.asked(step, direction, Some(workflow)));
            asked.is_some_and(|participant| reach.covers_participant(participant))
        }
        reach @ Reach::Own(_) => reach.covers_order(row.placed_by.as_deref()),
        Reach::Nothing => false,
    };
    let name = operation.as_str();
    let needs = |rules: &SecondPerson| rules.of_order(name, &row.workflow, row.total).is_some();
    let is_operator = reach(context, right) == Reach::Everything;
    let needs_second_person = is_operator && context.data_opt::<SecondPerson>().is_some_and(needs);
    let reason = if may { refusal } else { Some(Denied::forbidden(caller(context), right).to_string()) };
    OrderOperation {
        operation: OperationKind::of(operation),
        step: step.map(ID),
        undo: is_undo,
        allowed: reason.is_none(),
        needs_second_person,
        outcomes: if reason.is_none() { outcomes } else { Vec::new() },
        reason,
    }
}
