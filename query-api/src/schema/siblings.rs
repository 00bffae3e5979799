//! What hangs on the orders of one list is read for all of them at once, when the first of them is asked for it.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::error::StoreError;
use crate::paging::Page;
use crate::store::{OrderRow, StepRow, Store, TimelineRow, WorkflowKey, WorkflowRow};

type Shared<T> = Arc<OnceCell<Result<T, StoreError>>>;

/// The orders of one list. Everything is read at most once, failures included.
pub struct Siblings {
    store: Store,
    orders: Vec<String>,
    workflows: HashSet<WorkflowKey>,
    steps: OnceCell<Result<HashMap<String, Vec<StepRow>>, StoreError>>,
    definitions: OnceCell<Result<HashMap<WorkflowKey, Arc<WorkflowRow>>, StoreError>>,
    timelines: PerKey<Page<i64>, HashMap<String, Vec<TimelineRow>>>,
}

impl Siblings {
    /// Those orders.
    pub fn of(store: &Store, orders: &[OrderRow]) -> Arc<Self> {
        Arc::new(Self {
            store: store.clone(),
            orders: orders.iter().map(|order| order.id.clone()).collect(),
            workflows: orders.iter().map(|order| (order.workflow.clone(), order.workflow_version)).collect(),
            steps: OnceCell::new(),
            definitions: OnceCell::new(),
            timelines: PerKey::default(),
        })
    }

    /// The steps of one that something has happened to.
    pub async fn steps(&self, order: &str) -> Result<&[StepRow], StoreError> {
        let steps = self.steps.get_or_init(|| self.store.steps(&self.orders)).await;
        let steps = steps.as_ref().map_err(|error| *error)?;
        Ok(steps.get(order).map_or(&[], Vec::as_slice))
    }

    /// The definition that one follows, if it is known.
    pub async fn definition(&self, key: &WorkflowKey) -> Result<Option<Arc<WorkflowRow>>, StoreError> {
        let read = || async {
            let rows = self.store.workflows(self.workflows.clone()).await?;
            Ok(rows.into_iter().map(|(key, row)| (key, Arc::new(row))).collect())
        };
        let definitions = self.definitions.get_or_init(read).await;
        Ok(definitions.as_ref().map_err(|error| *error)?.get(key).cloned())
    }

    /// A page of the timeline of one.
    pub async fn timeline(&self, order: &str, page: &Page<i64>) -> Result<Vec<TimelineRow>, StoreError> {
        let read = || self.store.timelines(&self.orders, page);
        let timelines = self.timelines.get_or_init(page, read).await;
        let timelines =
            timelines.get().map_or(Err(StoreError::Internal), |read| read.as_ref().map_err(|error| *error))?;
        Ok(timelines.get(order).cloned().unwrap_or_default())
    }
}

/// One cell for each key. The keys come from one query's text, so that its limits bound their number.
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
        F: Future<Output = Result<T, StoreError>>,
    {
        let cell = {
            let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            cells.entry(key.clone()).or_default().clone()
        };
        cell.get_or_init(read).await;
        cell
    }
}
