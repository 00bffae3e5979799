//! Reads a page of the orders that match a filter, in any sort, without reading all orders.
//!
//! There are two ways. A walk follows the index of the sort, and checks each order: this is good if
//! many orders match. A collection finds all matching orders through the indexes of the filter, and
//! sorts them: this is good if few match. The planner expects matching orders to be spread evenly
//! over the sort. If all of them are at its far end, as old orders with a new status are, the
//! planner would follow the index to its end. So Postgres only estimates how many orders match
//! ([`Search::estimated`]). If they are more than a walk may read, walks are tried. If no walk
//! fills the page, matching orders are rarer than estimated, and are collected.
//!
//! The columns that select most, and are spread least evenly, have indexes in the order of the sort
//! for each of their values ([`Streams`]). A list of values is merged from these indexes, and each
//! order that is read matches.

use domain::filter::{OrderFilter, WorkflowFilter};
use domain::order::State;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::conditions::{Purpose, all_states, push_filter};
use crate::page::Page;
use crate::rows::{ORDER_COLUMNS, OrderRow};
use crate::sort::{Place, Sort, SortBy, SortKey};

/// How many orders a walk reads for each order of the page, and at most.
const LOOKED_AT: i64 = 128;
const MAX_LOOKED_AT: i64 = 8_000;
/// How many times as many a second walk reads, if still more orders are expected to match.
const SECOND: i64 = 8;

/// The divisor of that number, if the estimate is only a guess.
const GUESS: i64 = 2;

/// A page to be read.
pub(super) struct Search<'a> {
    pub filter: &'a OrderFilter,
    pub sort: Sort,
    pub page: &'a Page<Place>,
}

/// How orders are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Along the index of the sort in these streams, reading so many orders.
    Walk(Streams, i64),
    /// Through the indexes of the filter, sorting the orders that are found.
    Collect,
}

/// The streams that a walk merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Streams {
    /// One stream of all orders.
    All,
    /// A stream for each customer.
    Customers,
    /// One for each pair of state and status.
    Standings,
    /// One for each version of the definition.
    Versions,
}

impl Streams {
    /// The condition that the orders of a stream have in common.
    fn common(self) -> &'static str {
        match self {
            Self::All | Self::Customers => "",
            Self::Standings => " AND state = kinds.state AND status = kinds.status",
            Self::Versions => " AND workflow = kinds.name AND workflow_version = kinds.version",
        }
    }
}

impl Search<'_> {
    /// The rows, in the order in which the page counts them, and one more if the list goes on.
    pub async fn rows(&self, db: &mut PgConnection) -> Result<Vec<OrderRow>, sqlx::Error> {
        let wanted = usize::try_from(self.page.rows_to_read()).unwrap_or(usize::MAX);
        let mut rows = Vec::new();
        for way in self.ways(db).await? {
            // Planned for these values: a rare value needs another plan than a frequent one.
            rows = self.statement(way, "").build_query_as().persistent(false).fetch_all(&mut *db).await?;
            if rows.len() == wanted {
                break;
            }
        }
        Ok(rows)
    }

    /// The ways to try, one after another, until a page is full. The last one finds every order.
    pub async fn ways(&self, db: &mut PgConnection) -> Result<Vec<Way>, sqlx::Error> {
        let wanted = self.page.rows_to_read();
        let streams = self.streams();
        if let Some(streams) = streams.iter().find(|streams| self.split(**streams).1 == OrderFilter::default()) {
            return Ok(vec![Way::Walk(*streams, wanted)]);
        }
        let looked_at = MAX_LOOKED_AT.min(wanted * LOOKED_AT);
        let expected = self.estimated(db).await?;
        let are_more = |orders: i64| expected.is_none_or(|expected| expected > orders.cast_unsigned());
        let mut ways = Vec::new();
        // Postgres has no statistics of the values in lines and attributes, and estimates each as
        // rare: a short walk may find enough.
        let is_guessed = self.filter.skus.is_some() || !self.filter.attributes.is_empty();
        if is_guessed || are_more(looked_at) {
            let looked_at = if is_guessed { looked_at / GUESS } else { looked_at };
            ways.extend(streams.iter().map(|streams| Way::Walk(*streams, looked_at)));
        }
        if are_more(looked_at * SECOND) && streams == [Streams::All] {
            ways.push(Way::Walk(Streams::All, looked_at * SECOND));
        }
        ways.push(Way::Collect);
        Ok(ways)
    }

    /// The statement of a way.
    pub fn statement(&self, way: Way, prefix: &str) -> QueryBuilder<Postgres> {
        match way {
            Way::Walk(streams, looked_at) => self.walk(prefix, streams, looked_at),
            Way::Collect => self.collect(prefix),
        }
    }

    /// How many orders Postgres expects to match.
    async fn estimated(&self, db: &mut PgConnection) -> Result<Option<u64>, sqlx::Error> {
        let mut query = QueryBuilder::new("EXPLAIN (FORMAT JSON) SELECT FROM orders WHERE true");
        push_filter(&mut query, self.filter, Purpose::Find);
        self.push_place(&mut query);
        let Json(plan): Json<Value> = query.build_query_scalar().persistent(false).fetch_one(db).await?;
        Ok(plan[0]["Plan"]["Plan Rows"].as_u64())
    }

    fn walk(&self, prefix: &str, streams: Streams, looked_at: i64) -> QueryBuilder<Postgres> {
        let ((own, rest), order) = (self.split(streams), self.order());
        let mut query = QueryBuilder::new(prefix);
        self.push_kinds(&mut query, streams);
        query.push(format_args!("SELECT {ORDER_COLUMNS} FROM ("));
        match (streams, &self.filter.customers) {
            (Streams::All, _) => self.push_stream(&mut query, streams, None, &own, looked_at),
            // One stream for each: a customer with many orders must not make Postgres sort them
            // all.
            (Streams::Customers, Some(customers)) => {
                query.push("SELECT * FROM (");
                for (index, customer) in customers.iter().enumerate() {
                    query.push(if index == 0 { "(" } else { ") UNION ALL (" });
                    self.push_stream(&mut query, streams, Some(customer), &own, looked_at);
                }
                query.push(")");
            }
            _ => {
                query.push("SELECT found.* FROM kinds CROSS JOIN LATERAL (");
                self.push_stream(&mut query, streams, None, &own, looked_at);
            }
        }
        if streams != Streams::All {
            query.push(format_args!(") AS found ORDER BY {order} LIMIT ")).push_bind(looked_at);
        }
        query.push(") AS orders WHERE true");
        push_filter(&mut query, &rest, Purpose::Check);
        query.push(format_args!(" ORDER BY {order} LIMIT ")).push_bind(self.page.rows_to_read());
        query
    }

    /// The first orders of a stream.
    fn push_stream(
        &self,
        query: &mut QueryBuilder<Postgres>,
        streams: Streams,
        customer: Option<&String>,
        own: &OrderFilter,
        looked_at: i64,
    ) {
        query.push("SELECT * FROM orders WHERE true").push(streams.common());
        if let Some(customer) = customer {
            query.push(" AND customer_id = ").push_bind(customer.as_str());
        }
        push_filter(query, own, Purpose::Check);
        self.push_place(query);
        query.push(format_args!(" ORDER BY {} LIMIT ", self.order())).push_bind(looked_at);
    }

    fn collect(&self, prefix: &str) -> QueryBuilder<Postgres> {
        let (by, direction) = (self.sort.by.column(), self.direction());
        let mut query = QueryBuilder::new(prefix);
        query.push(format_args!(
            "WITH found AS MATERIALIZED (SELECT id AS found_id, {by} AS key FROM orders WHERE true"
        ));
        push_filter(&mut query, self.filter, Purpose::Find);
        self.push_place(&mut query);
        query.push(format_args!(
            ") SELECT {ORDER_COLUMNS} FROM (SELECT found_id FROM found ORDER BY key {direction}, found_id {direction} LIMIT "
        ));
        query.push_bind(self.page.rows_to_read());
        query.push(format_args!(") AS first JOIN orders ON id = found_id ORDER BY {}", self.order()));
        query
    }

    /// The streams that can be walked, the narrowest first. Amounts are spread evenly enough over
    /// all orders.
    pub fn streams(&self) -> Vec<Streams> {
        let OrderFilter { statuses, states, customers, workflow, .. } = self.filter;
        let by = self.sort.by;
        let streams: Vec<Streams> = [
            (Streams::Customers, by == SortBy::PlacedAt && customers.as_ref().is_some_and(|some| !some.is_empty())),
            (Streams::Standings, by != SortBy::Total && (statuses.is_some() || states.is_some())),
            (Streams::Versions, by != SortBy::Total && workflow.is_some()),
        ]
        .into_iter()
        .filter_map(|(streams, are_there)| are_there.then_some(streams))
        .collect();
        if streams.is_empty() { vec![Streams::All] } else { streams }
    }

    /// The conditions that bound the index of the sort, and those that each order on the way is
    /// checked for.
    fn split(&self, streams: Streams) -> (OrderFilter, OrderFilter) {
        let (mut own, mut rest) = (OrderFilter::default(), self.filter.clone());
        match self.sort.by {
            SortBy::PlacedAt => std::mem::swap(&mut own.placed_at, &mut rest.placed_at),
            SortBy::UpdatedAt => std::mem::swap(&mut own.updated_at, &mut rest.updated_at),
            SortBy::EndedAt => std::mem::swap(&mut own.ended_at, &mut rest.ended_at),
            SortBy::Total => std::mem::swap(&mut own.total, &mut rest.total),
        }
        match streams {
            Streams::All => {}
            Streams::Customers => rest.customers = None,
            Streams::Standings => (rest.states, rest.statuses) = (None, None),
            Streams::Versions => rest.workflow = None,
        }
        (own, rest)
    }

    fn push_kinds(&self, query: &mut QueryBuilder<Postgres>, streams: Streams) {
        let OrderFilter { statuses, states: wanted, workflow, .. } = self.filter;
        match (streams, statuses, wanted, workflow) {
            (Streams::Standings, Some(statuses), wanted, ..) => {
                query.push("WITH kinds AS (SELECT * FROM unnest(");
                match wanted {
                    Some(wanted) => query.push_bind(names(wanted)),
                    None => query.push_bind(all_states()),
                };
                query.push("::text[]) AS a (state) CROSS JOIN unnest(").push_bind(statuses);
                query.push("::text[]) AS b (status)) ");
            }
            (Streams::Standings, None, Some(wanted), ..) => {
                query.push("WITH RECURSIVE ");
                push_standings(query, names(wanted));
                query.push(" ");
            }
            (Streams::Versions, _, _, Some(WorkflowFilter { name, version: Some(version) })) => {
                query.push("WITH kinds (name, version) AS (SELECT ").push_bind(name.as_str()).push("::text, ");
                query.push_bind(*version).push("::integer) ");
            }
            (Streams::Versions, _, _, Some(WorkflowFilter { name, version: None })) => {
                query.push("WITH RECURSIVE kinds (name, version) AS (SELECT wanted.name, ");
                query.push(next("workflow_version", "workflow = wanted.name"));
                query
                    .push(" FROM (SELECT ")
                    .push_bind(name.as_str())
                    .push("::text) AS wanted (name) UNION ALL SELECT kinds.name, ");
                query.push(next("workflow_version", "workflow = kinds.name AND workflow_version > kinds.version"));
                query.push(" FROM kinds WHERE kinds.version IS NOT NULL) ");
            }
            _ => {}
        }
    }

    /// The condition that an order is in the list, and on this page or after it.
    fn push_place(&self, query: &mut QueryBuilder<Postgres>) {
        let (by, is_descending) = (self.sort.by.column(), self.sort.is_descending);
        if self.sort.by == SortBy::EndedAt {
            query.push(" AND ended_at IS NOT NULL");
        }
        let (follows, precedes) = if is_descending { ("<", ">") } else { (">", "<") };
        for (cursor, side) in [(&self.page.after, follows), (&self.page.before, precedes)] {
            let Some(cursor) = cursor else { continue };
            query.push(format_args!(" AND ({by}, id) {side} ("));
            match cursor.key {
                SortKey::Moment(at) => query.push_bind(at),
                SortKey::Amount(total) => query.push_bind(total),
            };
            query.push(", ").push_bind(cursor.id.as_str()).push(")");
        }
    }

    fn direction(&self) -> &'static str {
        if self.sort.is_descending == self.page.from_end { "ASC" } else { "DESC" }
    }

    fn order(&self) -> String {
        let (by, direction) = (self.sort.by.column(), self.direction());
        format!("{by} {direction}, id {direction}")
    }
}

/// `kinds`: each pair of state and status that orders in these states have. A row without a status,
/// which no order has, ends each state. One look into the index finds the next pair.
fn push_standings(query: &mut QueryBuilder<Postgres>, states: Vec<&str>) {
    query.push("kinds (state, status) AS (SELECT wanted.state, ");
    query.push(next("status", "state = wanted.state"));
    query.push(" FROM unnest(").push_bind(states);
    query.push("::text[]) AS wanted (state) UNION ALL SELECT kinds.state, ");
    query.push(next("status", "state = kinds.state AND status > kinds.status"));
    query.push(" FROM kinds WHERE kinds.status IS NOT NULL)");
}

/// The least value of a column in the orders that meet a condition.
fn next(column: &str, condition: &str) -> String {
    format!("(SELECT orders.{column} FROM orders WHERE {condition} ORDER BY orders.{column} LIMIT 1)")
}

fn names(states: &[State]) -> Vec<&'static str> {
    states.iter().map(|state| state.as_str()).collect()
}
