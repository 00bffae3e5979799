//! How long steps and orders took: in memory as after the last committed batch, and otherwise from
//! the database.
//!
//! What is expected of an order follows from the samples up to its last event, and not up to the
//! end of the batch: so it does not depend on how events fall into batches.

use std::collections::BTreeSet;

use domain::expectation::{EstimateKey, Estimates, Expected, samples};
use domain::order::Event;
use order_stream::FoldedOrder;
use sqlx::PgConnection;
use views::writer::EstimateColumns;

/// All histograms. Before the first batch, they are not read yet.
#[derive(Debug, Default)]
pub(crate) struct KnownEstimates {
    known: Option<Estimates>,
    /// Those that have samples of the present batch.
    changed: BTreeSet<EstimateKey>,
}

impl KnownEstimates {
    /// Begins a batch. If the batch before was not committed, memory has samples that the database
    /// does not have.
    pub async fn begin(&mut self, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.known.is_none() || !self.changed.is_empty() {
            self.changed.clear();
            self.known = Some(views::estimates(db).await?);
        }
        Ok(())
    }

    /// Adds the samples of an event. Returns what is expected of its order then.
    pub fn add(&mut self, event: &Event, after: &FoldedOrder) -> Expected {
        let known = self.known.get_or_insert_default();
        for sample in samples(event, &after.state) {
            if known.add(&sample, after.position.commit) {
                self.changed.insert(sample.key);
            }
        }
        Expected::of(&after.state, known)
    }

    /// The rows of the histograms that changed in this batch.
    pub fn changed(&self) -> EstimateColumns {
        let mut rows = EstimateColumns::default();
        for key in &self.changed {
            if let Some(estimate) = self.known.as_ref().and_then(|known| known.get(key)) {
                rows.push(key, estimate);
            }
        }
        rows
    }

    /// A batch with these rows is committed. One that set an event aside has none.
    pub fn keep(&mut self, rows: &EstimateColumns) {
        if rows.len() == self.changed.len() {
            self.changed.clear();
        }
    }
}
