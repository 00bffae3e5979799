//! What hangs on the orders of one list is read for all of them at once, when the first of them is asked for it.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use uuid::Uuid;
use views::Page;
use views::{Head, Keys, OrderRow, Personal, StepRow, Store, TimelineRow, WorkflowKey, WorkflowRow};

use crate::error::StoreError;
use crate::history::{Earlier, History};

type Shared<T> = Arc<OnceCell<Result<T, StoreError>>>;
/// By order.
type Steps = OnceCell<Result<HashMap<String, Vec<StepRow>>, StoreError>>;

/// The orders of one list. Everything is read at most once, failures included.
pub struct Loaders {
    store: Store,
    /// What timelines are read from, where that is not the views.
    history: Option<History>,
    orders: Vec<Head>,
    workflows: HashSet<WorkflowKey>,
    steps: Steps,
    definitions: OnceCell<Result<HashMap<WorkflowKey, Arc<WorkflowRow>>, StoreError>>,
    timelines: PerKey<Page<i64>, HashMap<String, Vec<TimelineRow>>>,
    sealed_with: Vec<Uuid>,
    keys: OnceCell<Result<Keys, StoreError>>,
}

impl Loaders {
    /// Those orders, as the views have them.
    pub fn of(store: &Store, orders: &[OrderRow]) -> Arc<Self> {
        Arc::new(Self::new(store, None, OnceCell::new(), orders))
    }

    /// One order as it was.
    pub fn earlier(store: &Store, history: &History, earlier: Earlier) -> Arc<Self> {
        let Earlier { row, steps } = earlier;
        let steps = OnceCell::new_with(Some(Ok(HashMap::from([(row.id.clone(), steps)]))));
        Arc::new(Self::new(store, Some(history.clone()), steps, &[row]))
    }

    /// Those orders as they were read, with these steps of theirs.
    pub fn live(store: &Store, orders: &[OrderRow], steps: HashMap<String, Vec<StepRow>>) -> Arc<Self> {
        Arc::new(Self::new(store, None, OnceCell::new_with(Some(Ok(steps))), orders))
    }

    fn new(store: &Store, history: Option<History>, steps: Steps, orders: &[OrderRow]) -> Self {
        Self {
            store: store.clone(),
            history,
            orders: orders.iter().map(|order| Head { id: order.id.clone(), revision: order.revision }).collect(),
            workflows: orders.iter().map(|order| (order.workflow.clone(), order.workflow_version)).collect(),
            steps,
            definitions: OnceCell::new(),
            timelines: PerKey::default(),
            sealed_with: orders.iter().filter_map(|order| order.sealed.as_ref()).map(|sealed| sealed.key).collect(),
            keys: OnceCell::new(),
        }
    }

    /// The steps of one that something has happened to.
    pub async fn steps(&self, order: &str) -> Result<&[StepRow], StoreError> {
        let read = || async {
            let orders: Vec<String> = self.orders.iter().map(|order| order.id.clone()).collect();
            self.store.steps(&orders).await.map_err(StoreError::from)
        };
        let steps = self.steps.get_or_init(read).await;
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

    /// The personal data of one, as far as they can be read.
    pub async fn personal(&self, order: &OrderRow) -> Result<Personal, StoreError> {
        if order.sealed.is_none() {
            return Ok(Keys::default().open(order)?);
        }
        let keys =
            self.keys.get_or_init(async || self.store.keys(&self.sealed_with).await.map_err(StoreError::from)).await;
        Ok(keys.as_ref().map_err(|error| *error)?.open(order)?)
    }

    /// A page of the timeline of one.
    pub async fn timeline(&self, order: &str, page: &Page<i64>) -> Result<Vec<TimelineRow>, StoreError> {
        let read = || async {
            match &self.history {
                Some(history) => history.timelines(&self.orders, page).await,
                None => self.store.timelines(&self.orders, page).await.map_err(StoreError::from),
            }
        };
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
