//! The schema as others rely on it.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use query_api::Options;
use sqlx::PgPool;
use tower::ServiceExt;

use crate::support::{anyones, no_log};

#[tokio::test]
async fn the_schema_is_the_one_on_record() {
    let pool = PgPool::connect_lazy("postgres://nowhere.invalid/none").unwrap();
    let request = Request::get("/schema.graphql").body(Body::empty()).unwrap();
    let response = anyones(query_api::router(pool, no_log(), &Options::default())).oneshot(request).await.unwrap();
    let served = String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap();

    let recorded = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(recorded, &served).unwrap();
    }
    assert_eq!(
        served,
        std::fs::read_to_string(recorded).unwrap_or_default(),
        "the schema changed; if that is meant, run this test with UPDATE_GOLDEN=1 and look at the difference"
    );
}
