//! Names in a filter that do not exist: a typing error should not look like a day without orders.

use domain::workflow::suggest::did_you_mean;

use super::Store;
use crate::error::ViewsError;
use crate::filter::Criteria;

/// The most names that are read, to find near ones.
const MOST_NAMES: i64 = 2_000;

/// Something that a filter names, and that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// No workflow of that name; the near name, as the end of a sentence.
    #[error("there is no workflow {name:?}, so no order matches{near}")]
    Workflow {
        /// As the filter has it.
        name: String,
        /// The end of the sentence.
        near: String,
    },
    /// The workflow is there, and that version of it is not.
    #[error("workflow {name:?} has no version {version}, so no order matches; its last is {last}")]
    Version {
        /// The workflow.
        name: String,
        /// As the filter has it.
        version: i32,
        /// The last that is registered.
        last: i32,
    },
    /// No workflow has such a step, or the workflow that the filter names has none.
    #[error("{} has a step {step:?}, so no order matches{near}", .workflow.as_ref().map_or_else(
        || "no workflow".to_owned(), |workflow| format!("no version of workflow {workflow:?}")
    ))]
    Step {
        /// As the filter has it.
        step: String,
        /// The workflow that the filter names.
        workflow: Option<String>,
        /// The end of the sentence.
        near: String,
    },
}

impl Store {
    /// A name in the criteria that does not exist, if there is one. Where the views have no workflow at all, none is reported.
    pub async fn unknown(&self, criteria: &Criteria) -> Result<Option<Unknown>, ViewsError> {
        if let Some((name, version)) = &criteria.workflow {
            let versions = self.versions(name).await?;
            match (versions.last(), version) {
                (None, _) => {
                    let names = self.workflow_names().await?;
                    let near = did_you_mean(name, names.iter().map(String::as_str));
                    return Ok((!names.is_empty()).then(|| Unknown::Workflow { name: name.clone(), near }));
                }
                (Some(last), Some(version)) if !versions.contains(version) => {
                    return Ok(Some(Unknown::Version { name: name.clone(), version: *version, last: *last }));
                }
                (Some(_), _) => {}
            }
        }
        let Some(step) = criteria.step.as_ref().and_then(|step| step.name.as_ref()) else { return Ok(None) };
        let workflow = criteria.workflow.as_ref().map(|(name, _)| name.clone());
        let names = self.step_names(workflow.as_deref()).await?;
        let is_known = names.is_empty() || names.contains(step);
        let near = did_you_mean(step, names.iter().map(String::as_str));
        Ok((!is_known).then(|| Unknown::Step { step: step.clone(), workflow, near }))
    }

    async fn versions(&self, workflow: &str) -> Result<Vec<i32>, ViewsError> {
        let versions = sqlx::query_scalar("SELECT version FROM workflows WHERE name = $1 ORDER BY version");
        Ok(versions.bind(workflow).fetch_all(&mut *self.snapshot().await?).await?)
    }

    async fn workflow_names(&self) -> Result<Vec<String>, ViewsError> {
        let names = sqlx::query_scalar("SELECT DISTINCT name FROM workflows ORDER BY name LIMIT $1");
        Ok(names.bind(MOST_NAMES).fetch_all(&mut *self.snapshot().await?).await?)
    }

    async fn step_names(&self, workflow: Option<&str>) -> Result<Vec<String>, ViewsError> {
        let names = sqlx::query_scalar(
            "SELECT DISTINCT step ->> 'id' AS name FROM workflows, jsonb_array_elements(outline) AS step
             WHERE $1::text IS NULL OR workflows.name = $1 ORDER BY name",
        );
        Ok(names.bind(workflow).fetch_all(&mut *self.snapshot().await?).await?)
    }
}
