//! The status of an order, for callers that do not use GraphQL: `GET /orders/{id}`. With `?wait=30`
//! it waits for the end of the order, and with `?position=…` for the result of a command.
//!
//! An order that the views do not have is looked up in the log before the answer is 404. If its
//! stream has a first event, the views get a little time to reach that event. The end of the log
//! does not matter, since most of the log may not be for the views.

use std::time::Duration;

use access::{Caller, Operation, Reach};
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::Extensions;
use domain::ids::OrderId;
use http_problem::Problem;
use serde::Deserialize;
use sqlx::PgPool;
use tokio::time::timeout;
use views::{LagMeter, checkpoint};

use crate::completions::Completions;
use crate::error::QueryError;
use crate::filter::comparable;
use crate::freshness::{USUAL_WAIT, ViewsBehind, Waiting};
use crate::history::History;
use crate::order_status::{OrderStatus, order_status};

/// The longest that a caller may wait for an order's end, in seconds.
const MAX_WAIT: u32 = 60;

/// How long the log has to answer, before an order that the views do not have is reported as
/// unknown.
const LOG_PATIENCE: Duration = Duration::from_secs(1);

/// What the handlers use.
#[derive(Clone)]
pub(crate) struct Orders {
    pool: PgPool,
    completions: Completions,
    waiting: Waiting,
    lag: LagMeter,
    history: History,
}

/// Why the status of an order is not returned.
enum NoStatus {
    Query(QueryError),
    Behind(ViewsBehind),
}

impl From<QueryError> for NoStatus {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl Orders {
    pub fn new(pool: PgPool, waiting: Waiting, lag: LagMeter, history: History) -> Self {
        Self { completions: Completions::new(pool.clone()), pool, waiting, lag, history }
    }

    /// The status of an order, once the views have that position, and once it has ended if that is
    /// in time.
    async fn status(
        &self,
        id: &str,
        Wait { wait, position }: Wait,
        reach: &Reach,
    ) -> Result<Option<OrderStatus>, NoStatus> {
        if let Some(wanted) = position {
            self.reach(wanted).await?;
        }
        if *reach != Reach::Everything {
            // Before any wait: an order that is not the caller's own is answered like one that does
            // not exist, and as soon.
            let found = self.present(id, position).await?;
            if !found.is_some_and(|order| reach.covers_order(order.placed_by.as_deref())) {
                return Ok(None);
            }
        }
        if let Some(seconds) = wait.filter(|seconds| *seconds > 0) {
            let ended = self.completions.wait(comparable(id), Duration::from_secs(seconds.into())).await?;
            if ended.is_some() {
                return Ok(ended);
            }
        }
        self.present(id, position).await
    }

    /// The status of an order now.
    async fn present(&self, id: &str, position: Option<u64>) -> Result<Option<OrderStatus>, NoStatus> {
        let found = order_status(&self.pool, id).await?;
        if found.is_none() && position.is_none() && self.catches_up(id).await {
            return Ok(order_status(&self.pool, id).await?);
        }
        Ok(found)
    }

    /// An order that is missing in the views may have been placed a moment ago. Then the log has
    /// its first event, and this waits a little until the views have that event. Returns whether
    /// they have it.
    async fn catches_up(&self, id: &str) -> bool {
        let Ok(order) = OrderId::new(id) else { return false };
        match timeout(LOG_PATIENCE, self.history.begun_at(&order)).await {
            Ok(Ok(Some(begun_at))) => self.waiting.until(begun_at, USUAL_WAIT).await.is_ok(),
            _ => false,
        }
    }

    async fn reach(&self, wanted: u64) -> Result<(), NoStatus> {
        self.waiting.until(wanted, USUAL_WAIT).await?;
        let had = checkpoint::read(&self.pool).await.map_err(QueryError::from)?;
        if had.map(|had| had.commit) >= Some(wanted) {
            return Ok(());
        }
        let lag = self.lag.for_an_error(had).await;
        Err(NoStatus::Behind(ViewsBehind { wanted, had: had.map(|had| had.commit), lag }))
    }
}

/// What the caller waits for.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Wait {
    /// For the end of the order: the longest wait, in seconds.
    wait: Option<u32>,
    /// For this position of the views.
    position: Option<u64>,
}

pub(crate) async fn get(
    State(orders): State<Orders>,
    extensions: Extensions,
    id: Result<Path<String>, PathRejection>,
    wait: Result<Query<Wait>, QueryRejection>,
) -> Result<Json<OrderStatus>, Problem> {
    let Path(id) = id.map_err(|_| {
        Problem::not_found(
            "There is no such order: its id is not UTF-8. Ids consist of letters, digits, '.', '_', '~' and '-'",
        )
    })?;
    let wait = wait.ok().map(|Query(wait)| wait).filter(|wait| wait.wait.is_none_or(|w| w <= MAX_WAIT));
    let wait = wait.ok_or_else(|| {
        Problem::bad_request(format!(
            "`wait` must be a whole number of seconds, at most {MAX_WAIT}, and `position` the number that a command was \
             answered with"
        ))
    })?;
    let reach = Caller::of(&extensions).reach(Operation::ReadOrders);
    let status = orders.status(&id, wait, &reach).await?;
    status.map(Json).ok_or_else(|| Problem::not_found("There is no such order"))
}

impl From<NoStatus> for Problem {
    fn from(error: NoStatus) -> Self {
        match error {
            NoStatus::Behind(behind) => Self::later(behind.to_string()),
            NoStatus::Query(error) if error.is_temporary() => Self::later(error.to_string()),
            NoStatus::Query(error) => Self::internal(error.to_string()),
        }
    }
}

/// The order called `batch`.
pub(crate) async fn get_batch(
    orders: State<Orders>,
    extensions: Extensions,
    wait: Result<Query<Wait>, QueryRejection>,
) -> Result<Json<OrderStatus>, Problem> {
    get(orders, extensions, Ok(Path("batch".to_owned())), wait).await
}
