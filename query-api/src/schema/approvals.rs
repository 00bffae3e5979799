//! The steps that wait for a person.

use access::{Operation, Orders};
use async_graphql::connection::Connection;
use async_graphql::{Context, ID, Object, Result};
use chrono::{DateTime, Utc};
use domain::workflow::{Step, Workflow};
use views::{ApprovalPlace, ApprovalRow, Store};

use super::connection::connection;
use super::order::Order;
use crate::code::ErrorCode;
use crate::error::QueryError;
use crate::paging::{PageArguments, cut, encode_cursor};
use crate::permission::reach;

/// A step that waits for a person.
pub struct Approval {
    row: ApprovalRow,
    order: Order,
}

/// Reads a page of the list. A step whose order is not in the same snapshot is not in the list.
pub async fn list(context: &Context<'_>, arguments: &PageArguments) -> Result<Connection<String, Approval>> {
    let page = arguments.check(place).map_err(|error| ErrorCode::BadUserInput.error(&error))?;
    let store = context.data::<Store>()?;
    let rows = match reach(context, Operation::ReadOrders).orders() {
        Orders::All => store.approvals(None, &page).await,
        Orders::PlacedBy(own) => store.approvals(Some(own), &page).await,
        Orders::None => Ok(Vec::new()),
    };
    let rows = rows.map_err(QueryError::from)?;
    let orders = Order::of_ids(store, rows.iter().map(|row| row.order_id.clone()).collect()).await?;
    let with_order = |row: ApprovalRow| Some(Approval { order: orders.get(&row.order_id)?.clone(), row });
    let approvals = rows.into_iter().filter_map(with_order).collect();
    Ok(connection(cut(&page, approvals), |approval| (cursor(&approval.row), approval)))
}

fn cursor(row: &ApprovalRow) -> String {
    encode_cursor(&format!("approval|{}|{}|{}", row.started_at.timestamp_micros(), row.order_id, row.step))
}

/// Neither an order's id nor the name of a step has a bar.
fn place(cursor: &str) -> Option<ApprovalPlace> {
    let mut parts = cursor.strip_prefix("approval|")?.split('|');
    let started_at = DateTime::from_timestamp_micros(parts.next()?.parse().ok()?)?;
    let (order_id, step) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let has_nul = order_id.contains('\0') || step.contains('\0');
    (parts.next().is_none() && !has_nul).then_some(ApprovalPlace { started_at, order_id, step })
}

impl Approval {
    /// Reads from the definition; `None`: the views do not have it yet.
    async fn planned<T>(&self, read: impl FnOnce(&Workflow, &Step) -> T) -> Result<Option<T>> {
        let workflow = self.order.definition().await?;
        let step = workflow.as_deref().and_then(|workflow| Some((workflow, workflow.step(&self.row.step)?)));
        Ok(step.map(|(workflow, step)| read(workflow, step)))
    }
}

/// A step that waits for a person.
#[Object]
impl Approval {
    async fn order(&self) -> &Order {
        &self.order
    }

    /// The step. It is answered at `POST /orders/{id}/steps/{step}/outcome`.
    async fn step(&self) -> ID {
        self.row.step.as_str().into()
    }

    /// What is asked for: the step's `await` in the definition.
    async fn asks(&self) -> Result<Option<String>> {
        Ok(self.planned(|_, step| step.awaits.clone()).await?.flatten())
    }

    /// Since when it waits.
    async fn since(&self) -> DateTime<Utc> {
        self.row.since.unwrap_or(self.row.started_at)
    }

    /// Until when it waits. While the order is paused, this does not pass: it moves by the length
    /// of the pause. Null: the row is from before this field, and the steps were not rebuilt since.
    async fn until(&self) -> Option<DateTime<Utc>> {
        self.row.due_at
    }

    /// The outcomes that it takes. Empty: any, and `done` if none is named.
    async fn outcomes(&self) -> Result<Vec<String>> {
        Ok(self.planned(|_, step| step.outcomes.clone()).await?.unwrap_or_default())
    }

    /// The outcome that is assumed without an answer. Null: the step fails.
    async fn on_timeout(&self) -> Result<Option<String>> {
        Ok(self.planned(|_, step| step.on_timeout.clone()).await?.flatten())
    }

    /// What happens without an answer, in a sentence. Null: the views do not have the definition
    /// yet.
    async fn without_answer(&self) -> Result<Option<String>> {
        self.planned(without_answer).await
    }
}

fn without_answer(workflow: &Workflow, step: &Step) -> String {
    match &step.on_timeout {
        Some(outcome) if step.compensate_on.contains(outcome) => {
            format!("It counts as {outcome:?}, and the order is undone")
        }
        Some(outcome) => format!("It counts as {outcome:?}"),
        None if workflow.compensated.iter().any(|known| known.id == step.id) => {
            "The step fails, and the order is stuck".to_owned()
        }
        None => "The step fails, and the order is undone".to_owned(),
    }
}
