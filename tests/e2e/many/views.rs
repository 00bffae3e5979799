//! Whether the views are what the log says: another projector makes them anew, and every row is compared.

use std::collections::BTreeMap;

use event_store::client::EventStore;
use postgres_cluster::testing::database;
use projector::{Health, ProjectorOptions};
use sqlx::{AssertSqlSafe, PgPool};
use tokio_util::sync::CancellationToken;

/// Everything that is a view of the log.
const TABLES: [&str; 6] = ["orders", "steps", "timeline", "todo", "workflows", "parked"];

/// How many rows a table has, and what they say.
type Contents = BTreeMap<&'static str, (i64, String)>;

/// Compares the views in a database with what the log gives, once they have come to its end.
pub async fn equal_the_log(log: &str, views: &str) {
    let made_anew = made_anew(log).await;
    let views = PgPool::connect(views).await.unwrap();
    crate::process::until("the views have come to the end of the log", async || {
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM timeline").fetch_one(&views).await.unwrap();
        rows == made_anew["timeline"].0
    })
    .await;
    assert_eq!(contents(&views).await, made_anew);
}

async fn made_anew(log: &str) -> Contents {
    let database = database().await;
    let pool = PgPool::connect(database.url()).await.unwrap();
    projector::migrate(&pool).await.unwrap();
    let (health, stop) = (Health::default(), CancellationToken::new());
    let options = ProjectorOptions { health: health.clone(), ..ProjectorOptions::default() };
    let log = EventStore::connect(log).unwrap();
    let projecting = tokio::spawn(projector::run(options, log, pool.clone(), stop.clone()));
    health.wait_for(|snapshot| snapshot.caught_up).await;
    stop.cancel();
    projecting.await.unwrap().unwrap();
    contents(&pool).await
}

async fn contents(pool: &PgPool) -> Contents {
    let mut contents = Contents::new();
    for table in TABLES {
        let query = format!(
            "SELECT count(*), md5(coalesce(string_agg(row, E'\\n' ORDER BY row COLLATE \"C\"), ''))
             FROM (SELECT t::text AS row FROM {table} t) AS rows"
        );
        contents.insert(table, sqlx::query_as(AssertSqlSafe(query)).fetch_one(pool).await.unwrap());
    }
    contents
}
