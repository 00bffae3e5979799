//! An order, with its steps, timeline and other parts.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use domain::order::PersonalData;
use rust_decimal::Decimal;
use serde_json::Value;
use views::{OrderRow, Store};

use super::connection::connection;
use super::customer::{Address, Customer};
use super::enums::State;
use super::loaders::{Loaders, Parts};
use super::operations::{self, OrderOperation};
use super::requests::{self, OperationRequest};
use super::scalars::Position;
use super::step::{self, Step};
use super::timeline::{self, TimelineConnection, TimelineEntry};
use super::workflow::Workflow;
use crate::code::ErrorCode;
use crate::error::QueryError;
use crate::history::{AsOf, Earlier, History};
use crate::paging::{PageArguments, cost_factor, cut};
use crate::permission::sees_personal_data;

/// An order.
#[derive(Clone)]
pub struct Order {
    row: Arc<OrderRow>,
    state: State,
    loaders: Arc<Loaders>,
}

/// One line of an order.
#[derive(SimpleObject)]
pub struct OrderLine {
    /// Stock-keeping unit.
    sku: String,
    name: Option<String>,
    quantity: i64,
    /// Price of one piece in the order's currency, as decimal text; negative: a discount.
    unit_price: Decimal,
}

impl Order {
    /// The orders of a list, which share their loaders.
    pub fn list(store: &Store, rows: Vec<OrderRow>) -> Result<Vec<Self>, QueryError> {
        Self::with_loaders(&Loaders::of(store, &rows), rows)
    }

    /// The orders of these ids, by id. They share their loaders.
    pub async fn of_ids(store: &Store, ids: Vec<String>) -> Result<HashMap<String, Self>, QueryError> {
        let orders = Self::list(store, store.orders_of(&ids).await?)?;
        Ok(orders.into_iter().map(|order| (order.row.id.clone(), order)).collect())
    }

    /// Orders as they were read when they changed. Other parts of them are read through this store.
    pub fn live(store: &Store, rows: Vec<OrderRow>, parts: Parts) -> Result<Vec<Self>, QueryError> {
        Self::with_loaders(&Loaders::live(store, &rows, parts), rows)
    }

    fn with_loaders(loaders: &Arc<Loaders>, rows: Vec<OrderRow>) -> Result<Vec<Self>, QueryError> {
        let order =
            |row: OrderRow| Ok(Self { state: State::read(&row.state)?, row: Arc::new(row), loaders: loaders.clone() });
        rows.into_iter().map(order).collect()
    }

    /// An order as it was.
    pub fn earlier(store: &Store, history: &History, earlier: Earlier) -> Result<Self, QueryError> {
        let row = earlier.row.clone();
        let loaders = Loaders::earlier(store, history, earlier);
        Ok(Self { state: State::read(&row.state)?, row: Arc::new(row), loaders })
    }

    /// Its row.
    pub fn row(&self) -> &OrderRow {
        &self.row
    }

    fn has_plain_personal_data(&self) -> bool {
        let identifies = |to: &domain::order::Address| {
            to.name.is_some() || to.street.is_some() || to.city.is_some() || to.postal_code.is_some()
        };
        let row = &self.row;
        let is_addressed = row.ship_to.as_ref().is_some_and(|to| identifies(&to.0));
        row.customer_name.is_some() || row.customer_email.is_some() || is_addressed
    }

    /// Its definition, as the decider reads it; `None`: the views do not have it yet.
    pub async fn definition(&self) -> Result<Option<Arc<domain::workflow::Workflow>>, QueryError> {
        self.loaders.workflow(&self.workflow_key()).await
    }

    /// The operations on it.
    pub async fn allowed(&self, context: &Context<'_>, step: Option<ID>) -> Result<Option<Vec<OrderOperation>>> {
        let Some(workflow) = self.definition().await? else { return Ok(None) };
        let revision = self.row.revision.cast_unsigned();
        let moment = if self.loaders.are_past() { AsOf::Revision(revision) } else { AsOf::NOW };
        operations::of(context, &self.row, &workflow, moment, step).await
    }

    async fn end(&self) -> Result<Option<DateTime<Utc>>, QueryError> {
        Ok(self.loaders.expectation(&self.row.id).await?.and_then(|expected| expected.expected_at))
    }

    fn workflow_key(&self) -> (String, i32) {
        (self.row.workflow.clone(), self.row.workflow_version)
    }
}

/// An order.
#[Object]
impl Order {
    async fn id(&self) -> ID {
        self.row.id.as_str().into()
    }

    /// The business status that the workflow gives the order.
    async fn status(&self) -> &str {
        &self.row.status
    }

    /// The state of its execution.
    async fn state(&self) -> State {
        self.state
    }

    /// The definition that it follows from its beginning to its end.
    async fn workflow(&self) -> Workflow {
        Workflow::followed(self.row.workflow.clone(), self.row.workflow_version, self.loaders.clone())
    }

    async fn customer(&self) -> Customer {
        Customer::of(self.row.clone(), self.loaders.clone())
    }

    /// The principal that placed it: an API key by its name, or a subject of an issuer. Null:
    /// callers were not authenticated.
    async fn placed_by(&self) -> Option<&str> {
        self.row.placed_by.as_deref()
    }

    /// ISO 4217.
    async fn currency(&self) -> &str {
        &self.row.currency
    }

    /// The sum over the lines, as decimal text with the digits of the currency's minor unit (ISO
    /// 4217): `"28.00"` EUR, `"28"` JPY, `"28.000"` KWD. An order from before amounts had to fit
    /// their currency has the digits that it was placed with.
    async fn total(&self) -> Decimal {
        self.row.total
    }

    async fn lines(&self) -> Vec<OrderLine> {
        let lines = self.row.lines.0.iter();
        lines
            .map(|line| OrderLine {
                sku: line.sku.clone(),
                name: line.name.clone(),
                quantity: line.quantity.into(),
                unit_price: line.unit_price,
            })
            .collect()
    }

    /// The address that it goes to.
    async fn ship_to(&self, context: &Context<'_>) -> Option<Result<Address>> {
        let personal = self.loaders.personal(context, &self.row).await;
        personal.map(|personal| personal.data.ship_to.map(Address::from)).map_err(Into::into).transpose()
    }

    /// Other data that the shop keeps with the order.
    async fn attributes(&self) -> &Value {
        &self.row.attributes.0
    }

    async fn placed_at(&self) -> DateTime<Utc> {
        self.row.placed_at
    }

    /// When its last event was decided.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.row.updated_at
    }

    /// When it ended.
    async fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.row.ended_at
    }

    /// When it is expected to end, in 95 of 100 cases, as long as such orders took before. It moves
    /// as the order advances. Null: it has ended, is held or is being undone, or too few orders of
    /// its workflow have ended; or this is a past state.
    async fn expected_at(&self) -> Result<Option<DateTime<Utc>>> {
        Ok(self.end().await?)
    }

    /// Whether it should have ended by now.
    async fn late(&self) -> Result<bool> {
        Ok(self.end().await?.is_some_and(|expected| expected < Utc::now()))
    }

    /// Index of its last event in its stream.
    async fn revision(&self) -> i64 {
        self.row.revision
    }

    /// Position of its last event in the log.
    async fn position(&self) -> Position {
        Position(self.row.position.cast_unsigned())
    }

    /// Its steps, in the order of the definition, with those that have not begun.
    #[graphql(complexity = "10 * child_complexity")]
    async fn steps(&self) -> Result<Vec<Step>> {
        let begun = self.loaders.steps(&self.row.id).await?;
        let definition = self.loaders.definition(&self.workflow_key()).await?;
        let outline = definition.as_ref().map_or(&[][..], |definition| definition.outline.0.as_slice());
        let expected = self.loaders.expectation(&self.row.id).await?.map(|expected| &expected.steps.0);
        Ok(step::in_definition_order(self.state, begun, outline, expected)?)
    }

    /// What a person may do to it, by the rules of the command endpoint and by what the caller may
    /// do: first the operations on the order as a whole, then those on each step that has begun
    /// and is not settled; with `step`, only those on that step. This is read from the log. For a
    /// past state, it is what was possible then. Null: the views do not have the definition yet.
    #[graphql(complexity = "300 + child_complexity")]
    async fn operations(&self, context: &Context<'_>, step: Option<ID>) -> Option<Result<Vec<OrderOperation>>> {
        self.allowed(context, step).await.transpose()
    }

    /// Operations on it that a second person has to approve, the latest first: those that wait, and
    /// the last ones that were settled. For a past state, they are those of now.
    #[graphql(complexity = "10 * child_complexity")]
    async fn requests(&self, context: &Context<'_>) -> Result<Vec<OperationRequest>> {
        requests::of(context, &self.row.id).await
    }

    /// Its history, event by event.
    #[graphql(complexity = "cost_factor(first, last) * child_complexity")]
    async fn timeline(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<TimelineConnection> {
        let arguments = PageArguments { first, after, last, before };
        let page = timeline::page(&arguments).map_err(|error| ErrorCode::BadUserInput.error(&error))?;
        let rows = self.loaders.timeline(&self.row.id, &page).await?;
        // Events from before personal data were sealed have them in plain text.
        let is_hidden = self.has_plain_personal_data() && !sees_personal_data(context);
        Ok(connection(cut(&page, rows), |row| {
            let cursor = timeline::cursor(&row);
            (cursor, if is_hidden { TimelineEntry::without_data(row) } else { TimelineEntry::from(row) })
        }))
    }

    /// The result of the workflow. A text in it is null if it holds personal data that cannot be
    /// read, because they were erased or because their key is missing.
    async fn result(&self, context: &Context<'_>) -> Option<Result<Value>> {
        let result = &self.row.result.as_ref()?.0;
        let placeholders = self.row.result_placeholders.as_ref().map(|placeholders| &placeholders.0);
        if !PersonalData::are_in(result, placeholders) {
            return Some(Ok(result.clone()));
        }
        let personal = self.loaders.personal(context, &self.row).await;
        Some(personal.map(|personal| personal.data.show_in(result, placeholders).into_owned()).map_err(Into::into))
    }

    /// Why `result` is null although the workflow has one: its expression failed, or its value was
    /// too large.
    async fn result_error(&self) -> Option<&str> {
        self.row.result_error.as_deref()
    }

    /// Whether an event of it could not be projected and is set aside, so that these fields are
    /// behind the log. `parkedEvents` of the query lists such events.
    async fn parked(&self) -> bool {
        self.row.parked
    }

    /// Why it waits for an operator.
    async fn stuck_reason(&self) -> Option<&str> {
        self.row.stuck_reason.as_deref()
    }
}
