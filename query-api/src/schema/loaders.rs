//! Loads steps, timelines and definitions for all orders of one list at once, when the first of
//! them needs them.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::Context;
use domain::workflow::Workflow;
use tokio::sync::OnceCell;
use uuid::Uuid;
use views::{
    ExpectationRow, Head, Keys, OrderRow, Page, Personal, StepRow, Store, TimelineRow, ViewsError, WorkflowKey,
    WorkflowRow,
};

use crate::error::QueryError;
use crate::history::{Earlier, History};
use crate::permission::{disclosed, redacted, sees_personal_data};

type Shared<T> = Arc<OnceCell<Result<T, QueryError>>>;
/// By order.
type Steps = OnceCell<Result<HashMap<String, Vec<StepRow>>, QueryError>>;
/// By order.
type Expectations = OnceCell<Result<HashMap<String, ExpectationRow>, QueryError>>;

/// Parts of orders that are read already.
pub struct Parts {
    pub steps: HashMap<String, Vec<StepRow>>,
    pub expectations: HashMap<String, ExpectationRow>,
}

/// The orders of one list. Each part is read at most once, also if it fails.
pub struct Loaders {
    store: Store,
    /// Where timelines are read, if not from the views.
    history: Option<History>,
    orders: Vec<Head>,
    workflows: HashSet<WorkflowKey>,
    steps: Steps,
    expectations: Expectations,
    definitions: OnceCell<Result<HashMap<WorkflowKey, Arc<WorkflowRow>>, QueryError>>,
    parsed: PerKey<WorkflowKey, Arc<Workflow>>,
    timelines: PerKey<Page<i64>, HashMap<String, Vec<TimelineRow>>>,
    sealed_with: Vec<Uuid>,
    keys: OnceCell<Result<Keys, QueryError>>,
}

impl Loaders {
    /// These orders, as the views have them.
    pub fn of(store: &Store, orders: &[OrderRow]) -> Arc<Self> {
        Arc::new(Self::new(store, None, None, orders))
    }

    /// One order as it was.
    pub fn earlier(store: &Store, history: &History, earlier: Earlier) -> Arc<Self> {
        let Earlier { row, steps } = earlier;
        // What was expected of it is not known any more.
        let parts = Parts { steps: HashMap::from([(row.id.clone(), steps)]), expectations: HashMap::new() };
        Arc::new(Self::new(store, Some(history.clone()), Some(parts), &[row]))
    }

    /// These orders as they were read, with these parts.
    pub fn live(store: &Store, orders: &[OrderRow], parts: Parts) -> Arc<Self> {
        Arc::new(Self::new(store, None, Some(parts), orders))
    }

    fn new(store: &Store, history: Option<History>, parts: Option<Parts>, orders: &[OrderRow]) -> Self {
        let (steps, expectations) = parts.map(|Parts { steps, expectations }| (Ok(steps), Ok(expectations))).unzip();
        Self {
            store: store.clone(),
            history,
            orders: orders.iter().map(|order| Head { id: order.id.clone(), revision: order.revision }).collect(),
            workflows: orders.iter().map(|order| (order.workflow.clone(), order.workflow_version)).collect(),
            steps: OnceCell::new_with(steps),
            expectations: OnceCell::new_with(expectations),
            definitions: OnceCell::new(),
            parsed: PerKey::default(),
            timelines: PerKey::default(),
            sealed_with: orders.iter().filter_map(|order| order.sealed.as_ref()).map(|sealed| sealed.key).collect(),
            keys: OnceCell::new(),
        }
    }

    /// Whether these are orders as they were.
    pub fn are_past(&self) -> bool {
        self.history.is_some()
    }

    /// The steps of an order that have begun.
    pub async fn steps(&self, order: &str) -> Result<&[StepRow], QueryError> {
        let read = || async {
            let orders: Vec<String> = self.orders.iter().map(|order| order.id.clone()).collect();
            self.store.steps(&orders).await.map_err(QueryError::from)
        };
        let steps = self.steps.get_or_init(read).await;
        let steps = steps.as_ref().map_err(|error| *error)?;
        Ok(steps.get(order).map_or(&[], Vec::as_slice))
    }

    /// What is expected of an order.
    pub async fn expectation(&self, order: &str) -> Result<Option<&ExpectationRow>, QueryError> {
        let read = || async {
            let orders: Vec<String> = self.orders.iter().map(|order| order.id.clone()).collect();
            self.store.expectations(&orders).await.map_err(QueryError::from)
        };
        let expectations = self.expectations.get_or_init(read).await;
        Ok(expectations.as_ref().map_err(|error| *error)?.get(order))
    }

    /// The definition that an order follows, if the views have it.
    pub async fn definition(&self, key: &WorkflowKey) -> Result<Option<Arc<WorkflowRow>>, QueryError> {
        let read = || async {
            let rows = self.store.workflows(self.workflows.clone()).await?;
            Ok(rows.into_iter().map(|(key, row)| (key, Arc::new(row))).collect())
        };
        let definitions = self.definitions.get_or_init(read).await;
        Ok(definitions.as_ref().map_err(|error| *error)?.get(key).cloned())
    }

    /// The same, as the decider reads it.
    pub async fn workflow(&self, key: &WorkflowKey) -> Result<Option<Arc<Workflow>>, QueryError> {
        let Some(row) = self.definition(key).await? else { return Ok(None) };
        let parse = async || {
            // The projector read it before it wrote the row.
            Workflow::registered(&row.source).map(Arc::new).map_err(|error| {
                tracing::error!(workflow = row.name, version = row.version, %error, "a definition cannot be read");
                QueryError::from(ViewsError::Internal)
            })
        };
        let parsed = self.parsed.get_or_init(key, parse).await;
        let parsed = parsed.get().map_or(Err(ViewsError::Internal.into()), |read| read.as_ref().map_err(|e| *e))?;
        Ok(Some(parsed.clone()))
    }

    /// The personal data of an order, as far as they can be read; for a caller that does not see
    /// them, placeholders.
    pub async fn personal(&self, context: &Context<'_>, order: &OrderRow) -> Result<Personal, QueryError> {
        let personal = self.opened(order).await?;
        if sees_personal_data(context) {
            disclosed(context, &order.id);
            return Ok(personal);
        }
        Ok(Personal { data: redacted(&personal.data), ..personal })
    }

    async fn opened(&self, order: &OrderRow) -> Result<Personal, QueryError> {
        if order.sealed.is_none() {
            return Ok(Keys::default().open(order)?);
        }
        let keys =
            self.keys.get_or_init(async || self.store.keys(&self.sealed_with).await.map_err(QueryError::from)).await;
        Ok(keys.as_ref().map_err(|error| *error)?.open(order)?)
    }

    /// A page of the timeline of an order.
    pub async fn timeline(&self, order: &str, page: &Page<i64>) -> Result<Vec<TimelineRow>, QueryError> {
        let read = || async {
            match &self.history {
                Some(history) => history.timelines(&self.orders, page).await,
                None => self.store.timelines(&self.orders, page).await.map_err(QueryError::from),
            }
        };
        let timelines = self.timelines.get_or_init(page, read).await;
        let timelines =
            timelines.get().map_or(Err(ViewsError::Internal.into()), |read| read.as_ref().map_err(|error| *error))?;
        Ok(timelines.get(order).cloned().unwrap_or_default())
    }
}

/// One cell for each key. The text of one query has the keys, so its limits bound their number.
struct PerKey<K, T> {
    cells: Mutex<HashMap<K, Shared<T>>>,
}

impl<K, T> Default for PerKey<K, T> {
    fn default() -> Self {
        Self { cells: Mutex::default() }
    }
}

impl<K: Clone + Eq + Hash, T> PerKey<K, T> {
    async fn get_or_init<F>(&self, key: &K, read: impl FnOnce() -> F) -> Shared<T>
    where
        F: Future<Output = Result<T, QueryError>>,
    {
        let cell = {
            let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            cells.entry(key.clone()).or_default().clone()
        };
        cell.get_or_init(read).await;
        cell
    }
}
