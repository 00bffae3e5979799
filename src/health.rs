//! `/livez` and `/readyz`.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use event_store::client::EventStore;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

/// `/livez`: the process answers. `/readyz`: what it needs answers too, and it is not about to leave; 503 says what is wrong.
pub(crate) fn router(event_store: Option<EventStore>, pool: Option<PgPool>, stop: CancellationToken) -> Router {
    let ready = move || {
        let (event_store, pool, leaving) = (event_store.clone(), pool.clone(), stop.is_cancelled());
        async move {
            if leaving {
                return (StatusCode::SERVICE_UNAVAILABLE, "leaving\n".to_owned());
            }
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
