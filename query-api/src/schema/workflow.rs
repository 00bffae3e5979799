//! A workflow's definition.

use std::sync::Arc;

use access::{Operation, Reach};
use async_graphql::{Context, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use views::{EstimateRow, Store, WorkflowRow};

use super::enums::StepMode;
use super::loaders::Loaders;
use super::scalars::seconds;
use crate::error::QueryError;
use crate::permission::reach;

/// A definition.
pub struct Workflow {
    name: String,
    version: i32,
    definition: Definition,
}

enum Definition {
    Read(Arc<WorkflowRow>),
    /// Read together with the definitions of other orders, for a query that needs more than name
    /// and version.
    FollowedBy(Arc<Loaders>),
}

/// A step of a definition.
#[derive(SimpleObject)]
pub struct WorkflowStep {
    id: ID,
    /// The participant.
    participant: Option<String>,
    /// The action that it is asked for.
    action: Option<String>,
    mode: StepMode,
    /// The steps before it.
    after: Vec<ID>,
    /// Whether it runs only after compensation.
    compensated: bool,
    /// How long it takes, with all its attempts, until its last answer. Null: it has ended too few
    /// times, or the caller may not count all orders.
    takes: Option<Takes>,
}

/// How long something takes, by what was measured before: the latest measurements count most.
#[derive(Debug, Clone, SimpleObject)]
pub struct Takes {
    /// Half of them take at most so long, in seconds.
    p50_seconds: f64,
    /// 95 of 100 take at most so long. What is expected of an order follows from this.
    p95_seconds: f64,
    /// How many were measured, since the first.
    samples: i64,
}

impl Takes {
    fn of(rows: &[EstimateRow], step: &str) -> Option<Self> {
        let EstimateRow { samples, p50_ms, p95_ms, .. } = rows.iter().find(|row| row.step == step)?;
        let (p50_seconds, p95_seconds) = (seconds(Some(&(*p50_ms)?)), seconds(Some(&(*p95_ms)?)));
        Some(Self { p50_seconds, p95_seconds, samples: *samples })
    }
}

impl Workflow {
    /// The definition that an order follows.
    pub fn followed(name: String, version: i32, loaders: Arc<Loaders>) -> Self {
        Self { name, version, definition: Definition::FollowedBy(loaders) }
    }

    /// How long its steps and orders take. They are of all orders, so they are for those who may
    /// count all.
    async fn estimates(&self, context: &Context<'_>) -> Result<Vec<EstimateRow>> {
        if reach(context, Operation::CountOrders) != Reach::Everything {
            return Ok(Vec::new());
        }
        let found = context.data::<Store>()?.estimates_of(&self.name, self.version).await;
        Ok(found.map_err(QueryError::from)?)
    }

    async fn row(&self) -> Result<Option<Arc<WorkflowRow>>> {
        match &self.definition {
            Definition::Read(row) => Ok(Some(row.clone())),
            Definition::FollowedBy(loaders) => Ok(loaders.definition(&(self.name.clone(), self.version)).await?),
        }
    }
}

impl From<WorkflowRow> for Workflow {
    fn from(row: WorkflowRow) -> Self {
        Self { name: row.name.clone(), version: row.version, definition: Definition::Read(Arc::new(row)) }
    }
}

/// A definition that orders follow.
#[Object]
impl Workflow {
    async fn name(&self) -> &str {
        &self.name
    }

    async fn version(&self) -> i32 {
        self.version
    }

    /// The text that was registered.
    async fn source(&self) -> Result<Option<String>> {
        Ok(self.row().await?.map(|row| row.source.clone()))
    }

    async fn registered_at(&self) -> Result<Option<DateTime<Utc>>> {
        Ok(self.row().await?.map(|row| row.registered_at))
    }

    /// How long its orders take that are completed, from placing to end. Null: too few have ended,
    /// or the caller may not count all orders.
    #[graphql(complexity = "10 + child_complexity")]
    async fn takes(&self, context: &Context<'_>) -> Result<Option<Takes>> {
        Ok(Takes::of(&self.estimates(context).await?, ""))
    }

    /// Its steps in the order of the text, those after compensation last.
    #[graphql(complexity = "10 * child_complexity")]
    async fn steps(&self, context: &Context<'_>) -> Result<Vec<WorkflowStep>> {
        let Some(row) = self.row().await? else { return Ok(Vec::new()) };
        let is_wanted = context.look_ahead().field("takes").exists();
        let estimates = if is_wanted { self.estimates(context).await? } else { Vec::new() };
        let steps = row.outline.0.iter().map(|step| {
            Ok(WorkflowStep {
                id: step.id.as_str().into(),
                participant: step.participant.clone(),
                action: step.action.clone(),
                mode: StepMode::read(&step.mode)?,
                after: step.after.iter().map(ID::from).collect(),
                compensated: step.compensated,
                takes: Takes::of(&estimates, &step.id),
            })
        });
        steps.collect()
    }
}
