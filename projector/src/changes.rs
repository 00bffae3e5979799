//! What a batch changes in the views: its orders after their last events, as rows.

use std::collections::BTreeSet;

use domain::expectation::Expected;
use domain::ids::StepId;
use domain::views::{OrderView, StepView};
use order_stream::FoldedOrder;
use views::writer::{Changes, ExpectationColumns, OrderColumns, StepColumns, TodoColumns};

use crate::error::WriteError;
use crate::fold::Batch;

impl Batch {
    /// The rows that the batch writes.
    pub fn changes(&self) -> Result<Changes<'_>, WriteError> {
        let mut orders = OrderColumns::default();
        let (mut steps, mut todo, mut without_due_work) = (StepColumns::default(), TodoColumns::default(), Vec::new());
        let (mut expectations, mut unexpected) = (ExpectationColumns::default(), Vec::new());
        for (FoldedOrder { state, revision, position }, changed, expected) in self.changed() {
            let id = &state.placed.order_id;
            let added = orders.push(OrderView::of(state), *revision, *position);
            added.map_err(|error| WriteError::Refused(error.to_string()))?;
            for (step, of) in changed.iter().filter_map(|step| state.steps.get_key_value(step)) {
                steps.push(id, &StepView::of(step, of));
            }
            if expected.is_empty() {
                unexpected.push(id.to_string());
            } else {
                let added = expectations.push(id, expected);
                added.map_err(|error| WriteError::Refused(error.to_string()))?;
            }
            match state.due_at() {
                Some(due_at) => todo.push(id, due_at, *revision, *position),
                None => without_due_work.push(id.to_string()),
            }
        }
        let parked = self.orders.iter().filter(|(_, work)| work.is_parked());
        Ok(Changes {
            orders,
            steps,
            todo,
            without_due_work,
            expectations,
            unexpected,
            estimates: &self.estimates,
            timeline: &self.timeline,
            workflows: &self.workflows,
            webhooks: &self.webhooks,
            requests: &self.requests,
            parked: &self.parked,
            orders_parked: parked.map(|(order, _)| order.as_str()).collect(),
            limits: self.limits.iter().map(|(order, hidden)| (order, hidden.as_ref())).collect(),
        })
    }

    /// The orders that changed, each after its last event, with the steps that changed and with
    /// what is expected.
    fn changed(&self) -> impl Iterator<Item = (&FoldedOrder, &BTreeSet<StepId>, &Expected)> {
        self.orders.values().filter_map(|work| Some((work.applied()?, work.changed_steps.as_ref()?, &work.expected)))
    }
}
