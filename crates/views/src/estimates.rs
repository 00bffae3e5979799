//! Reads how long steps and orders took.

use domain::expectation::{Estimate, EstimateKey, Estimates, Histogram, Part};
use sqlx::{FromRow, PgConnection};

#[derive(FromRow)]
struct Row {
    workflow: String,
    step: String,
    part: String,
    version: i32,
    histogram: Vec<u8>,
    position: i64,
}

impl Row {
    fn read(self) -> Option<(EstimateKey, Estimate)> {
        let Self { workflow, step, part, version, histogram, position } = self;
        let part = Part::ALL.into_iter().find(|known| known.as_str() == part)?;
        let key = EstimateKey { workflow, step, part, version: version.cast_unsigned() };
        let estimate = Estimate { histogram: Histogram::from_bytes(&histogram)?, position: position.cast_unsigned() };
        Some((key, estimate))
    }
}

/// All histograms.
pub async fn estimates(db: &mut PgConnection) -> Result<Estimates, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as("SELECT workflow, step, part, version, histogram, position FROM estimates")
        .fetch_all(db)
        .await?;
    let unreadable =
        || sqlx::Error::Protocol("a histogram in the view `estimates` cannot be read: rebuild the views".into());
    rows.into_iter().map(|row| row.read().ok_or_else(unreadable)).collect()
}
