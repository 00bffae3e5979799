//! The record of handled requests, which makes a repeated request harmless.
//!
//! The transaction of the effect first claims the key. A second request with the same key waits at
//! the unique key until the first one has ended. If that one was committed, the second gets the
//! same answer; if not, it claims the key itself. Keys are kept for ever: an order may be
//! compensated long after it was placed.

use axum::http::StatusCode;
use serde_json::Value;
use sqlx::PgConnection;

use crate::contract::{Request, WireAnswer};

/// The statements on one service's table of handled requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    pub(crate) claim: &'static str,
    pub(crate) finish: &'static str,
    pub(crate) repeat: &'static str,
    pub(crate) repeats: &'static str,
}

/// The [`Record`] of a schema.
macro_rules! record_in {
    ($schema:literal) => {
        $crate::record::Record {
            claim: concat!(
                "INSERT INTO ",
                $schema,
                ".handled_requests (key, action, content_digest)
                 VALUES ($1, $2, sha256(convert_to($3::jsonb::text, 'UTF8')))
                 ON CONFLICT (key) DO NOTHING"
            ),
            finish: concat!("UPDATE ", $schema, ".handled_requests SET status = $2, body = $3 WHERE key = $1"),
            repeat: concat!(
                "UPDATE ",
                $schema,
                ".handled_requests SET repeats = repeats + 1 WHERE key = $1
                 RETURNING content_digest = sha256(convert_to($2::jsonb::text, 'UTF8')), status, body"
            ),
            repeats: concat!(
                "SELECT action, count(*), sum(repeats)::bigint FROM ",
                $schema,
                ".handled_requests
                 GROUP BY action ORDER BY action"
            ),
        }
    };
}
pub(crate) use record_in;

/// The result of claiming a key.
pub(crate) enum Claim {
    /// It is new, and this transaction performs the request.
    Fresh,
    /// It was handled, with this answer.
    Repeated(WireAnswer),
    /// It was handled with other content.
    OtherContent,
}

impl Record {
    pub(crate) async fn claim(&self, tx: &mut PgConnection, request: &Request) -> Result<Claim, sqlx::Error> {
        let claimed = sqlx::query(self.claim)
            .bind(&request.key)
            .bind(&request.action)
            .bind(&request.content)
            .execute(&mut *tx)
            .await?;
        if claimed.rows_affected() == 1 {
            return Ok(Claim::Fresh);
        }
        let (same, status, body) = self.repeated(tx, &request.key, &request.content).await?;
        Ok(if same { Claim::Repeated(WireAnswer { status, body }) } else { Claim::OtherContent })
    }

    async fn repeated(
        &self,
        tx: &mut PgConnection,
        key: &str,
        content: &Value,
    ) -> Result<(bool, StatusCode, String), sqlx::Error> {
        let (same, status, body): (bool, i16, String) =
            sqlx::query_as(self.repeat).bind(key).bind(content).fetch_one(tx).await?;
        let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.ok_or_else(|| sqlx::Error::Decode("a recorded answer has no HTTP status".into()))?;
        Ok((same, status, body))
    }

    /// Records the answer in the transaction of the effect.
    pub(crate) async fn finish(
        &self,
        tx: &mut PgConnection,
        key: &str,
        answer: &WireAnswer,
    ) -> Result<(), sqlx::Error> {
        let status = i16::try_from(answer.status.as_u16()).expect("HTTP statuses have three digits");
        sqlx::query(self.finish).bind(key).bind(status).bind(&answer.body).execute(tx).await.map(drop)
    }
}
