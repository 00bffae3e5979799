//! Which orders a filter matches: answered by the views, read here through a small port of the write side's own. What becomes of each
//! order is decided from the log, whatever the views say.

use std::fmt::Display;
use std::future::Future;

use domain::Timestamp;
use domain::order::{Lifecycle, StepStatus};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sqlx::{PgPool, Postgres, QueryBuilder};

/// Orders that meet everything that is said; a list is met by any of its values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    /// Business status.
    pub statuses: Option<Vec<String>>,
    /// Where the execution stands.
    pub states: Option<Vec<String>>,
    /// Ids of customers.
    pub customers: Option<Vec<String>>,
    /// Name of the definition, and its version if only one is meant.
    pub workflow: Option<(String, Option<i32>)>,
    /// Stock-keeping units, one of which is that of a line.
    pub skus: Option<Vec<String>>,
    /// The sum over the lines, whatever the currency.
    pub total: Amounts,
    /// When the order was placed.
    pub placed_at: Span,
    /// When something last happened to it.
    pub updated_at: Span,
    /// When it ended; an order that has not is in no span that has a bound.
    pub ended_at: Span,
    /// A step that something has happened to.
    pub step: Option<StepCriteria>,
    /// Text in the reason why it waits for an operator, whether in capitals or not.
    pub stuck_reason: Option<String>,
    /// What else the shop keeps with the order: all of these.
    pub attributes: Vec<AttributeCriteria>,
}

/// A range of amounts, its bounds included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Not less.
    pub at_least: Option<Decimal>,
    /// Not more.
    pub at_most: Option<Decimal>,
}

/// One of an order's steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepCriteria {
    /// Its name, if one is meant.
    pub name: Option<String>,
    /// Where it stands, if that is meant; a list as above.
    pub statuses: Option<Vec<String>>,
}

/// One of an order's attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeCriteria {
    /// The keys that lead to it, from the outermost on; at least one.
    pub path: Vec<String>,
    /// What it is, or what is in it among other things; `None`: that it is there.
    pub value: Option<Value>,
}

/// From, and before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Not before this.
    pub from: Option<Timestamp>,
    /// Before this.
    pub to: Option<Timestamp>,
}

/// Something that a filter names, and that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// No workflow of that name is registered.
    Workflow(String),
    /// The workflow is registered, and that version of it is not; the last that is.
    Version(String, i32, i32),
    /// No workflow, or not the one that is named, has a step of that name.
    Step(String, Option<String>),
}

/// The views, as the write side needs them.
pub trait Selection: Send + Sync + 'static {
    /// Why they cannot be read.
    type Error: Display + Send;

    /// How many orders match whose ids come after `after`.
    fn count(&self, criteria: &Criteria, after: Option<&str>) -> impl Future<Output = Result<u64, Self::Error>> + Send;

    /// What the criteria name although it does not exist, if there is anything: no order will ever match it.
    fn unknown(&self, criteria: &Criteria) -> impl Future<Output = Result<Option<Unknown>, Self::Error>> + Send;

    /// The ids of the first `most` of them, in their order.
    fn page(
        &self,
        criteria: &Criteria,
        after: Option<&str>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<String>, Self::Error>> + Send;
}

impl Selection for PgPool {
    type Error = sqlx::Error;

    async fn count(&self, criteria: &Criteria, after: Option<&str>) -> Result<u64, sqlx::Error> {
        let mut query = matching("count(*)", criteria, after);
        let count: i64 = query.build_query_scalar().persistent(false).fetch_one(self).await?;
        Ok(count.try_into().unwrap_or_default())
    }

    async fn unknown(&self, criteria: &Criteria) -> Result<Option<Unknown>, sqlx::Error> {
        let (workflow, version) = criteria.workflow.clone().unzip();
        if let Some(name) = &workflow {
            let versions: Vec<i32> =
                sqlx::query_scalar("SELECT version FROM workflows WHERE name = $1 ORDER BY version")
                    .bind(name)
                    .fetch_all(self)
                    .await?;
            let Some(last) = versions.last() else { return Ok(Some(Unknown::Workflow(name.clone()))) };
            if let Some(version) = version.flatten().filter(|version| !versions.contains(version)) {
                return Ok(Some(Unknown::Version(name.clone(), version, *last)));
            }
        }
        let Some(step) = criteria.step.as_ref().and_then(|step| step.name.as_ref()) else { return Ok(None) };
        let exists: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM workflows WHERE outline @> $1 AND ($2::text IS NULL OR name = $2))",
        )
        .bind(json!([{ "id": step }]))
        .bind(workflow.as_deref())
        .fetch_one(self)
        .await?;
        Ok((!exists).then(|| Unknown::Step(step.clone(), workflow)))
    }

    async fn page(&self, criteria: &Criteria, after: Option<&str>, most: usize) -> Result<Vec<String>, sqlx::Error> {
        let mut query = matching("id", criteria, after);
        query.push(" ORDER BY id LIMIT ").push_bind(i64::try_from(most).unwrap_or(i64::MAX));
        query.build_query_scalar().persistent(false).fetch_all(self).await
    }
}

fn matching(what: &str, criteria: &Criteria, after: Option<&str>) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(format!("SELECT {what} FROM orders WHERE true"));
    let lists = [("status", &criteria.statuses), ("state", &criteria.states), ("customer_id", &criteria.customers)];
    for (column, wanted) in lists {
        if let Some(wanted) = wanted {
            query.push(format_args!(" AND {column} = ANY(")).push_bind(wanted.clone()).push(")");
        }
    }
    if criteria.statuses.is_some() && criteria.states.is_none() {
        // The index has the state first.
        query.push(" AND state = ANY(").push_bind(Lifecycle::ALL.map(Lifecycle::as_str).to_vec()).push(")");
    }
    if let Some((name, version)) = &criteria.workflow {
        query.push(" AND workflow = ").push_bind(name.clone());
        if let Some(version) = version {
            query.push(" AND workflow_version = ").push_bind(*version);
        }
    }
    let spans =
        [("placed_at", criteria.placed_at), ("updated_at", criteria.updated_at), ("ended_at", criteria.ended_at)];
    for (column, Span { from, to }) in spans {
        if let Some(from) = from {
            query.push(format_args!(" AND {column} >= ")).push_bind(from);
        }
        if let Some(to) = to {
            query.push(format_args!(" AND {column} < ")).push_bind(to);
        }
    }
    push_details(&mut query, criteria);
    if let Some(after) = after {
        query.push(" AND id > ").push_bind(after.to_owned());
    }
    query
}

fn push_details(query: &mut QueryBuilder<Postgres>, criteria: &Criteria) {
    if let Some(skus) = &criteria.skus {
        query.push(" AND jsonb_path_query_array(lines, '$[*].sku') ?| ").push_bind(skus.clone());
    }
    for (bound, amount) in [(">=", criteria.total.at_least), ("<=", criteria.total.at_most)] {
        if let Some(amount) = amount {
            query.push(format_args!(" AND total {bound} ")).push_bind(amount);
        }
    }
    if let Some(StepCriteria { name, statuses }) = &criteria.step {
        // The index has the status first.
        let begun = || StepStatus::BEGUN.map(StepStatus::as_str).map(str::to_owned).to_vec();
        query.push(" AND id IN (SELECT order_id FROM steps WHERE steps.status = ANY(");
        query.push_bind(statuses.clone().unwrap_or_else(begun)).push(")");
        if let Some(name) = name {
            query.push(" AND step = ").push_bind(name.clone());
        }
        query.push(")");
    }
    if let Some(text) = &criteria.stuck_reason {
        query.push(" AND stuck_reason IS NOT NULL AND strpos(lower(stuck_reason), lower(");
        query.push_bind(text.clone()).push(")) > 0");
    }
    for AttributeCriteria { path, value } in &criteria.attributes {
        if let Some(value) = value {
            let within = path.iter().rev().fold(value.clone(), |value, key| json!({ key: value }));
            query.push(" AND attributes @> ").push_bind(within);
        } else {
            query.push(" AND attributes ? ").push_bind(path.first().cloned());
            query.push(" AND (attributes #> ").push_bind(path.clone()).push(") IS NOT NULL");
        }
    }
}
