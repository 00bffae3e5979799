//! Everything at a glance.

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};

use super::scalars::Position;
use super::words::OrderState;
use crate::error::StoreError;
use crate::store::{CountRow, ProgressRow};

/// Everything at a glance.
#[derive(SimpleObject)]
pub struct Overview {
    /// Orders in all.
    orders: i64,
    /// How many orders have each business status.
    by_status: Vec<StatusCount>,
    /// How many orders are in each state.
    by_state: Vec<StateCount>,
    /// Orders that wait for an operator.
    stuck: i64,
    /// Events set aside because the views could not take them.
    parked: i64,
    /// How far the views have come in the log.
    position: Option<Position>,
    /// When the last event in the views was recorded.
    last_event_at: Option<DateTime<Utc>>,
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
    state: OrderState,
    count: i64,
}

impl Overview {
    /// Adds up the counts.
    pub fn of(counts: &[CountRow], progress: &ProgressRow) -> Result<Self, StoreError> {
        let mut by_status: Vec<StatusCount> = Vec::new();
        let mut by_state: Vec<StateCount> = Vec::new();
        for row in counts {
            let state = OrderState::read(&row.state)?;
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
        Ok(Self {
            orders: counts.iter().map(|row| row.orders).sum(),
            stuck: by_state.iter().find(|known| known.state == OrderState::Stuck).map_or(0, |known| known.count),
            by_status,
            by_state,
            parked: progress.parked,
            position: progress.position.map(|position| Position(position.cast_unsigned())),
            last_event_at: progress.last_event_at,
        })
    }
}
