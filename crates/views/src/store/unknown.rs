//! Names in a filter that do not exist: a typing error must not look like a day without orders.

use domain::filter::{OrderFilter, WorkflowFilter};
use domain::workflow::suggest::did_you_mean;
use sqlx::PgConnection;

use super::Store;
use crate::error::ViewsError;

/// The most names that are read, to find similar ones.
const MAX_NAMES: i64 = 2_000;

/// A name in a filter that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// No workflow has that name.
    #[error("there is no workflow {name:?}, so no order matches{near}")]
    Workflow {
        /// The name in the filter.
        name: String,
        /// The similar name, as the end of a sentence.
        near: String,
    },
    /// The workflow exists, and has no such version.
    #[error("workflow {name:?} has no version {version}, so no order matches; its last is {last}")]
    Version {
        /// The workflow.
        name: String,
        /// The name in the filter.
        version: i32,
        /// The last registered version.
        last: i32,
    },
    /// No workflow has such a step, or the workflow in the filter has none.
    #[error("{} has a step {step:?}, so no order matches{near}", .workflow.as_ref().map_or_else(
        || "no workflow".to_owned(), |workflow| format!("no version of workflow {workflow:?}")
    ))]
    Step {
        /// The name in the filter.
        step: String,
        /// The workflow in the filter.
        workflow: Option<String>,
        /// The similar name, as the end of a sentence.
        near: String,
    },
}

impl Unknown {
    /// The place of the name in the filter (RFC 6901).
    pub fn pointer(&self) -> &'static str {
        match self {
            Self::Workflow { .. } => "/workflow/name",
            Self::Version { .. } => "/workflow/version",
            Self::Step { .. } => "/step/name",
        }
    }
}

impl Store {
    /// The first name in the filter that does not exist. While the views have no workflow at all,
    /// no name is reported.
    pub async fn unknown(&self, filter: &OrderFilter) -> Result<Option<Unknown>, ViewsError> {
        Ok(unknown(&mut *self.snapshot().await?, filter).await?)
    }
}

/// [`Store::unknown`] on a connection.
pub(crate) async fn unknown(db: &mut PgConnection, filter: &OrderFilter) -> Result<Option<Unknown>, sqlx::Error> {
    if let Some(WorkflowFilter { name, version }) = &filter.workflow {
        let versions = versions(db, name).await?;
        match (versions.last(), version) {
            (None, _) => {
                let names = workflow_names(db).await?;
                let near = did_you_mean(name, names.iter().map(String::as_str));
                return Ok((!names.is_empty()).then(|| Unknown::Workflow { name: name.clone(), near }));
            }
            (Some(last), Some(version)) if !versions.contains(version) => {
                return Ok(Some(Unknown::Version { name: name.clone(), version: *version, last: *last }));
            }
            (Some(_), _) => {}
        }
    }
    let Some(step) = filter.step.as_ref().and_then(|step| step.name.as_ref()) else { return Ok(None) };
    let workflow = filter.workflow.as_ref().map(|workflow| workflow.name.clone());
    let names = step_names(db, workflow.as_deref()).await?;
    let is_known = names.is_empty() || names.contains(step);
    let near = did_you_mean(step, names.iter().map(String::as_str));
    Ok((!is_known).then(|| Unknown::Step { step: step.clone(), workflow, near }))
}

async fn versions(db: &mut PgConnection, workflow: &str) -> Result<Vec<i32>, sqlx::Error> {
    let versions = sqlx::query_scalar("SELECT version FROM workflows WHERE name = $1 ORDER BY version");
    versions.bind(workflow).fetch_all(db).await
}

async fn workflow_names(db: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let names = sqlx::query_scalar("SELECT DISTINCT name FROM workflows ORDER BY name LIMIT $1");
    names.bind(MAX_NAMES).fetch_all(db).await
}

async fn step_names(db: &mut PgConnection, workflow: Option<&str>) -> Result<Vec<String>, sqlx::Error> {
    let names = sqlx::query_scalar(
        "SELECT DISTINCT step ->> 'id' AS name FROM workflows, jsonb_array_elements(outline) AS step
         WHERE $1::text IS NULL OR workflows.name = $1 ORDER BY name",
    );
    names.bind(workflow).fetch_all(db).await
}
