//! A workflow's definition.

use std::sync::Arc;

use async_graphql::{ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use views::WorkflowRow;

use super::enums::StepMode;
use super::loaders::Loaders;

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
}

impl Workflow {
    /// The definition that an order follows.
    pub fn followed(name: String, version: i32, loaders: Arc<Loaders>) -> Self {
        Self { name, version, definition: Definition::FollowedBy(loaders) }
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

    /// Its steps in the order of the text, those after compensation last.
    #[graphql(complexity = "10 * child_complexity")]
    async fn steps(&self) -> Result<Vec<WorkflowStep>> {
        let Some(row) = self.row().await? else { return Ok(Vec::new()) };
        let steps = row.outline.0.iter().map(|step| {
            Ok(WorkflowStep {
                id: step.id.as_str().into(),
                participant: step.participant.clone(),
                action: step.action.clone(),
                mode: StepMode::read(&step.mode)?,
                after: step.after.iter().map(ID::from).collect(),
                compensated: step.compensated,
            })
        });
        steps.collect()
    }
}
