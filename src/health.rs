//! `/livez` and `/readyz`.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use event_store::client::EventStore;
use sqlx::PgPool;

/// `/livez`: the process answers. `/readyz`: what it needs answers too; 503 names what does not.
pub(crate) fn router(event_store: Option<EventStore>, pool: Option<PgPool>) -> Router {
    let ready = move || {
        let (event_store, pool) = (event_store.clone(), pool.clone());
        async move {
            if let Some(event_store) = event_store
                && let Err(error) = event_store.head().await
            {
                return (StatusCode::SERVICE_UNAVAILABLE, format!("the log: {error}\n"));
            }
            if let Some(pool) = pool
                && sqlx::query("SELECT 1").execute(&pool).await.is_err()
            {
                return (StatusCode::SERVICE_UNAVAILABLE, "Postgres does not answer\n".to_owned());
            }
            (StatusCode::OK, "ready\n".to_owned())
        }
    };
    Router::new().route("/livez", get(|| async { "alive\n" })).route("/readyz", get(ready))
}
