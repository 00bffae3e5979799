//! Writes operations that a second person has to approve. They are rare, so each is a statement.

use domain::request_views::{RequestChange, RequestView, SettledView, WAITING};
use sqlx::{AssertSqlSafe, PgConnection};

use super::parameters::Parameters;

/// Writes these changes, in their order. What is written again changes nothing.
pub(super) async fn write(db: &mut PgConnection, changes: &[RequestChange]) -> Result<(), sqlx::Error> {
    for change in changes {
        match change {
            RequestChange::Opened(request) => open(db, request).await?,
            RequestChange::Settled(settled) => settle(db, settled).await?,
        }
    }
    Ok(())
}

async fn open(db: &mut PgConnection, request: &RequestView) -> Result<(), sqlx::Error> {
    let mut parameters = Parameters::default();
    let values = [
        ("id", parameters.bind(request.id.to_string())),
        ("order_id", parameters.bind(request.order_id.as_ref().map(ToString::to_string))),
        ("operation", parameters.bind(request.operation)),
        ("step", parameters.bind(request.step.clone())),
        ("details", parameters.bind(request.details.clone())),
        ("matches", parameters.bind(request.matches.map(u64::cast_signed))),
        ("requested_by", parameters.bind(request.requested_by.clone())),
        ("principal", parameters.bind(request.principal.clone())),
        ("reason", parameters.bind(request.reason.clone())),
        ("approver", parameters.bind(request.approver.clone())),
        ("previewed_at", parameters.bind(request.previewed_at.map(u64::cast_signed))),
        ("requested_at", parameters.bind(request.requested_at)),
        ("expires_at", parameters.bind(request.expires_at)),
        ("state", parameters.bind(WAITING)),
    ];
    let names = values.map(|(name, _)| name).join(", ");
    let places = values.map(|(_, place)| place.to_string()).join(", ");
    let statement = format!("INSERT INTO requests ({names}) VALUES ({places}) ON CONFLICT DO NOTHING");
    parameters.statement(|| AssertSqlSafe(statement))?.execute(db).await.map(drop)
}

async fn settle(db: &mut PgConnection, settled: &SettledView) -> Result<(), sqlx::Error> {
    let mut parameters = Parameters::default();
    let values = [
        ("state", parameters.bind(settled.state.clone())),
        ("settled_by", parameters.bind(settled.by.clone())),
        ("settled_reason", parameters.bind(settled.reason.clone())),
        ("settled_at", parameters.bind(settled.at)),
    ];
    let changes = values.map(|(name, place)| format!("{name} = {place}")).join(", ");
    let (id, waiting) = (parameters.bind(settled.id.to_string()), parameters.bind(WAITING));
    let statement = format!("UPDATE requests SET {changes} WHERE id = {id} AND state = {waiting}");
    parameters.statement(|| AssertSqlSafe(statement))?.execute(db).await.map(drop)
}
