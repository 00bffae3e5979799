//! Operations that a second person has to approve.

use access::{Operation, Reach};
use async_graphql::{Context, ID, Object, Result};
use chrono::{DateTime, Utc};
use domain::order::is_by;
use serde_json::Value;
use views::{RequestRow, Store};

use crate::error::QueryError;
use crate::permission::{caller, reach};

/// How many requests of one order are shown.
const MAX_OF_ORDER: i64 = 100;

/// An operation that a second person has to approve.
pub struct OperationRequest(RequestRow);

impl OperationRequest {
    /// From its row.
    pub fn of(row: RequestRow) -> Self {
        Self(row)
    }

    fn is_by(&self, principal: &str) -> bool {
        is_by(principal, &self.0.requested_by, &self.0.principal)
    }

    /// Its row.
    pub fn row(&self) -> &RequestRow {
        &self.0
    }
}

/// The requests of an order, the latest first.
pub async fn of(context: &Context<'_>, order: &str) -> Result<Vec<OperationRequest>> {
    let rows = context.data::<Store>()?.requests_of(order, MAX_OF_ORDER).await.map_err(QueryError::from)?;
    Ok(rows.into_iter().map(OperationRequest::of).collect())
}

/// An operation that a second person has to approve.
#[Object]
impl OperationRequest {
    /// Its id. It is settled at `POST /requests/{id}/approve`, `…/decline` and `…/withdraw`.
    async fn id(&self) -> ID {
        self.row().id.as_str().into()
    }

    /// The id of its order; null: it is for a batch.
    async fn order_id(&self) -> Option<ID> {
        self.row().order_id.as_deref().map(ID::from)
    }

    /// The operation: `cancel`, `pause`, `resume`, `retry` or `skip`.
    async fn operation(&self) -> &str {
        &self.row().operation
    }

    /// The step, if the operation names one.
    async fn step(&self) -> Option<&str> {
        self.row().step.as_deref()
    }

    /// The operation with all that it names; for a batch, with the selection of its orders.
    async fn details(&self) -> &Value {
        &self.row().details
    }

    /// For a batch: how many orders matched when it was asked for.
    async fn matches(&self) -> Option<i64> {
        self.row().matches
    }

    /// Who asks for it.
    async fn requested_by(&self) -> &str {
        &self.row().requested_by
    }

    /// Why.
    async fn reason(&self) -> &str {
        &self.row().reason
    }

    /// The role of those who may approve or decline it.
    async fn approver(&self) -> &str {
        &self.row().approver
    }

    /// The revision of the order at which it was asked for.
    async fn previewed_at(&self) -> Option<i64> {
        self.row().previewed_at
    }

    /// When it was asked for.
    async fn requested_at(&self) -> DateTime<Utc> {
        self.row().requested_at
    }

    /// Until when it can be approved.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.row().expires_at
    }

    /// `WAITING`, `APPROVED`, `DECLINED`, `WITHDRAWN`, `EXPIRED`, or `VOID` if the order ended
    /// first.
    async fn state(&self) -> &str {
        &self.row().state
    }

    /// Who settled it.
    async fn settled_by(&self) -> Option<&str> {
        self.row().settled_by.as_deref()
    }

    /// The reason of that person.
    async fn settled_reason(&self) -> Option<&str> {
        self.row().settled_reason.as_deref()
    }

    /// When it was settled.
    async fn settled_at(&self) -> Option<DateTime<Utc>> {
        self.row().settled_at
    }

    /// Whether the caller asked for it, so that another person has to approve it.
    async fn own(&self, context: &Context<'_>) -> bool {
        caller(context).name().is_some_and(|name| self.is_by(name))
    }

    /// Whether the caller may approve or decline it.
    async fn may_settle(&self, context: &Context<'_>) -> bool {
        let may = reach(context, Operation::SettleRequest) != Reach::Nothing;
        may && caller(context).principal().is_some_and(|principal| {
            let has_role = |role: &access::Role| role.kind() == self.row().approver || *role == access::Role::Admin;
            !self.is_by(&principal.name) && principal.roles.iter().any(has_role)
        })
    }
}
