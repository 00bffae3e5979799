//! The steps of an order: those that have begun, and those that the definition plans.

use std::collections::BTreeMap;

use async_graphql::{ID, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;
use views::{OutlineStep, StepRow};

use super::enums::{State, StepMode, StepStatus};
use crate::error::QueryError;

/// A step of an order.
#[derive(Debug, Clone, PartialEq, SimpleObject)]
pub struct Step {
    id: ID,
    /// The participant.
    participant: Option<String>,
    /// The action that it is asked for.
    action: Option<String>,
    mode: StepMode,
    status: StepStatus,
    /// The participant's named answer.
    outcome: Option<String>,
    /// The data of the answer.
    data: Option<Value>,
    /// The number of attempts, without those to undo it.
    attempts: i32,
    /// The last error.
    last_error: Option<String>,
    /// When its present stage began: the attempt, the wait for an answer or for the next attempt,
    /// or the end. Null: it has not begun, or its row is from before this field and the steps were
    /// not rebuilt since.
    since: Option<DateTime<Utc>>,
    /// When something is due at it: the deadline of its attempt or of its answer, the end of its
    /// wait, or its next attempt. While the order is paused, this does not pass: it moves by the
    /// length of the pause. Null: nothing is due at it.
    due_at: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    /// When it is expected to end, in 95 of 100 cases, as long as this step took in other orders.
    /// Null: it is not under way, the order is held, or the step has ended too few times; or this
    /// is a past state.
    expected_at: Option<DateTime<Utc>>,
    /// When the next attempt is due.
    next_attempt_at: Option<DateTime<Utc>>,
}

/// The steps in the order of the definition. Steps that it does not have, because the views do not
/// have the definition, come last.
pub fn in_definition_order(
    state: State,
    begun: &[StepRow],
    outline: &[OutlineStep],
    expected: Option<&BTreeMap<String, DateTime<Utc>>>,
) -> Result<Vec<Step>, QueryError> {
    let expected = |row: &StepRow| expected.and_then(|expected| expected.get(&row.step).copied());
    let foreseen = outline.iter().filter_map(|planned| match begun.iter().find(|row| row.step == planned.id) {
        Some(row) => Some(Step::begun(row, Some(planned), expected(row))),
        None => Step::not_begun(state, planned),
    });
    let others = begun.iter().filter(|row| outline.iter().all(|planned| planned.id != row.step));
    foreseen.chain(others.map(|row| Step::begun(row, None, expected(row)))).collect()
}

impl Step {
    fn begun(
        row: &StepRow,
        planned: Option<&OutlineStep>,
        expected_at: Option<DateTime<Utc>>,
    ) -> Result<Self, QueryError> {
        let mode = row.mode.as_deref().or(planned.map(|planned| planned.mode.as_str()));
        Ok(Self {
            id: row.step.as_str().into(),
            participant: row.participant.clone().or_else(|| planned.and_then(|planned| planned.participant.clone())),
            action: row.action.clone().or_else(|| planned.and_then(|planned| planned.action.clone())),
            mode: mode.map_or(Ok(StepMode::Call), StepMode::read)?,
            status: StepStatus::read(&row.status)?,
            outcome: row.outcome.clone(),
            data: row.data.as_ref().map(|data| data.0.clone()),
            attempts: row.attempts,
            last_error: row.last_error.clone(),
            since: row.since,
            due_at: row.due_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
            expected_at,
            next_attempt_at: row.next_attempt_at,
        })
    }

    /// A step that has not begun. While the order goes forward, the step is pending. Once the order
    /// is being undone, or has ended, the step is skipped. The steps after compensation are shown
    /// only if there is compensation.
    fn not_begun(state: State, planned: &OutlineStep) -> Option<Result<Self, QueryError>> {
        let undone = matches!(state, State::Compensating | State::Canceled);
        if planned.compensated && !undone {
            return None;
        }
        let over = matches!(state, State::Completed | State::Canceled);
        let never = over || (undone && !planned.compensated);
        Some(StepMode::read(&planned.mode).map(|mode| Self {
            id: planned.id.as_str().into(),
            participant: planned.participant.clone(),
            action: planned.action.clone(),
            mode,
            status: if never { StepStatus::Skipped } else { StepStatus::Pending },
            outcome: None,
            data: None,
            attempts: 0,
            last_error: None,
            since: None,
            due_at: None,
            started_at: None,
            ended_at: None,
            expected_at: None,
            next_attempt_at: None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(id: &str, compensated: bool) -> OutlineStep {
        OutlineStep {
            id: id.into(),
            participant: Some("orders".into()),
            action: Some("create".into()),
            mode: "CALL".into(),
            after: vec![],
            compensated,
        }
    }

    fn begun(id: &str) -> StepRow {
        StepRow {
            order_id: "1".into(),
            step: id.into(),
            participant: None,
            action: None,
            mode: None,
            status: "COMPLETED".into(),
            outcome: None,
            data: None,
            attempts: 1,
            last_error: None,
            since: None,
            due_at: None,
            started_at: None,
            ended_at: None,
            next_attempt_at: None,
        }
    }

    fn shown(state: State) -> Vec<(String, StepStatus)> {
        let outline = [planned("ship", false), planned("charge", false), planned("record-canceled", true)];
        let steps = in_definition_order(state, &[begun("charge"), begun("unplanned")], &outline, None).unwrap();
        steps.into_iter().map(|step| (step.id.0, step.status)).collect()
    }

    #[test]
    fn steps_are_in_the_order_of_the_definition_whether_they_have_begun_or_not() {
        use StepStatus::{Completed, Pending, Skipped};
        let named =
            |steps: &[(&str, StepStatus)]| steps.iter().map(|(id, s)| ((*id).to_owned(), *s)).collect::<Vec<_>>();
        assert_eq!(shown(State::Running), named(&[("ship", Pending), ("charge", Completed), ("unplanned", Completed)]));
        assert_eq!(
            shown(State::Compensating),
            named(&[("ship", Skipped), ("charge", Completed), ("record-canceled", Pending), ("unplanned", Completed)])
        );
        assert_eq!(
            shown(State::Canceled),
            named(&[("ship", Skipped), ("charge", Completed), ("record-canceled", Skipped), ("unplanned", Completed)])
        );
    }
}
