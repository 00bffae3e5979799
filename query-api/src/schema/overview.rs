//! An overview of all orders.

use async_graphql::{ComplexObject, Context, Result, SimpleObject};
use chrono::{DateTime, Utc};
use views::LagMeter;
use views::{CountRow, HourRow, ProgressRow};

use super::enums::State;
use super::scalars::Position;
use crate::error::QueryError;

/// An overview of all orders.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Overview {
    #[graphql(skip)]
    checkpoint: Option<event_store::Position>,
    /// The number of all orders.
    orders: i64,
    /// How many orders have each business status.
    by_status: Vec<StatusCount>,
    /// How many orders are in each state.
    by_state: Vec<StateCount>,
    /// The number of orders that wait for an operator.
    stuck: i64,
    /// The number of orders that should have ended by now.
    late: i64,
    /// The number of events that could not be projected and are set aside.
    parked: i64,
    /// The position of the views in the log.
    position: Option<Position>,
    /// When the last event in the views was recorded.
    last_event_at: Option<DateTime<Utc>>,
}

/// How far the views are behind the log.
#[derive(SimpleObject)]
pub struct ViewsLag {
    /// The position of the log's last event. Not all of them are for the views.
    log_position: Option<Position>,
    /// The age of the first event that the views do not have, in seconds; zero: they have every
    /// event. Null: the log did not answer in time.
    seconds: Option<f64>,
}

#[ComplexObject]
impl Overview {
    /// How far the views are behind the log.
    #[graphql(complexity = "50 + child_complexity")]
    async fn lag(&self, context: &Context<'_>) -> Option<Result<ViewsLag>> {
        let measured = async {
            let lag = context.data::<LagMeter>()?.of(self.checkpoint).await.map_err(QueryError::from)?;
            Ok(ViewsLag { log_position: lag.log.map(Position), seconds: lag.seconds })
        };
        Some(measured.await)
    }
}

/// How many orders have a business status.
#[derive(Debug, PartialEq, SimpleObject)]
pub struct StatusCount {
    status: String,
    count: i64,
}

/// How many orders are in a state.
#[derive(Debug, PartialEq, SimpleObject)]
pub struct StateCount {
    pub state: State,
    pub count: i64,
}

/// How many orders of a status and a state were placed in an hour.
#[derive(SimpleObject)]
pub struct HourCount {
    /// When the hour begins.
    hour: DateTime<Utc>,
    status: String,
    state: State,
    count: i64,
}

impl TryFrom<HourRow> for HourCount {
    type Error = QueryError;

    fn try_from(HourRow { hour, status, state, orders }: HourRow) -> std::result::Result<Self, QueryError> {
        Ok(Self { hour, status, state: State::read(&state)?, count: orders })
    }
}

/// Counts by status and state, added up by each alone.
pub struct Sums {
    pub by_status: Vec<StatusCount>,
    pub by_state: Vec<StateCount>,
}

impl Sums {
    /// Adds up these counts.
    pub fn of(counts: &[CountRow]) -> std::result::Result<Self, QueryError> {
        let mut by_status: Vec<StatusCount> = Vec::new();
        let mut by_state: Vec<StateCount> = Vec::new();
        for row in counts {
            let state = State::read(&row.state)?;
            match by_status.iter_mut().find(|known| known.status == row.status) {
                Some(known) => known.count += row.orders,
                None => by_status.push(StatusCount { status: row.status.clone(), count: row.orders }),
            }
            match by_state.iter_mut().find(|known| known.state == state) {
                Some(known) => known.count += row.orders,
                None => by_state.push(StateCount { state, count: row.orders }),
            }
        }
        by_state.sort_by_key(|known| known.state.as_str());
        Ok(Self { by_status, by_state })
    }
}

impl Overview {
    /// The overview of these counts.
    pub fn of(counts: &[CountRow], late: i64, progress: &ProgressRow) -> std::result::Result<Self, QueryError> {
        let Sums { by_status, by_state } = Sums::of(counts)?;
        Ok(Self {
            checkpoint: progress.checkpoint(),
            orders: counts.iter().map(|row| row.orders).sum(),
            stuck: by_state.iter().find(|known| known.state == State::Stuck).map_or(0, |known| known.count),
            late,
            by_status,
            by_state,
            parked: progress.parked,
            position: progress.checkpoint().map(|position| Position(position.commit)),
            last_event_at: progress.last_event_at,
        })
    }
}
