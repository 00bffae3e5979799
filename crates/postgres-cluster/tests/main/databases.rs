//! What the user of a running cluster gets.

use std::{os::unix::fs::MetadataExt, thread};

use postgres_cluster::{Cluster, Error, Options, testing};
use rustix::process::{Pid, getpgid};
use sqlx::{Connection, PgConnection};

use crate::{connect, execute, is_root, number, reachable_folder, text};

#[tokio::test]
async fn a_cluster_keeps_its_data_from_one_start_to_the_next() {
    let folder = reachable_folder();
    let options = Options::new(folder.path().join("postgres"));

    let cluster = Cluster::start(options.clone()).await.unwrap();
    cluster.create_database("shop").await.unwrap();
    cluster.create_database("shop").await.unwrap();
    execute(&cluster, "shop", "CREATE TABLE orders (id bigint); INSERT INTO orders VALUES (10248)").await;
    assert_eq!(text(&cluster, "SHOW fsync").await, "on");
    assert_eq!(text(&cluster, "SHOW synchronous_commit").await, "on");
    assert_eq!(text(&cluster, "SHOW server_encoding").await, "UTF8");
    assert_eq!(text(&cluster, "SHOW timezone").await, "UTC");
    assert_eq!(text(&cluster, "SHOW listen_addresses").await, "");
    assert!(matches!(Cluster::start(options.clone()).await, Err(Error::InUse { .. })));
    cluster.stop().await;

    let cluster = Cluster::start(options.clone()).await.unwrap();
    assert_eq!(number(&cluster, "shop", "SELECT id FROM orders").await, 10248);
    // Dropped, not stopped: the next start waits for the end of this server.
    drop(cluster);
    let cluster = Cluster::start(options).await.unwrap();
    assert_eq!(number(&cluster, "shop", "SELECT id FROM orders").await, 10248);

    let server = Pid::from_raw(cluster.pid().unwrap().cast_signed());
    assert_ne!(getpgid(server).unwrap(), getpgid(None).unwrap(), "a Ctrl-C in our terminal is not for the server");

    let data = cluster.data_folder().metadata().unwrap();
    assert_eq!(data.mode() & 0o777, 0o700);
    assert_ne!(data.uid(), 0, "the server's user is not root");
    assert_eq!(data.uid() != rustix::process::geteuid().as_raw(), is_root(), "only root runs it as another user");
    let server = std::fs::metadata(format!("/proc/{}", cluster.pid().unwrap()));
    assert!(server.is_err() || server.unwrap().uid() == data.uid());
    cluster.stop().await;
}

#[tokio::test]
async fn a_name_that_no_database_can_have_is_refused() {
    let folder = reachable_folder();
    let cluster = Cluster::start(crate::fleeting(folder.path().join("postgres"))).await.unwrap();
    for name in ["", "nul\0", &"long".repeat(16)] {
        assert!(matches!(cluster.create_database(name).await, Err(Error::DatabaseName(_))), "{name:?}");
    }
    let odd = r#"Robert"; DROP TABLE "orders/?&% ü"#;
    cluster.create_database(odd).await.unwrap();
    let name: String = sqlx::query_scalar("SELECT current_database()::text")
        .fetch_one(&mut connect(&cluster, odd).await)
        .await
        .unwrap();
    assert_eq!(name, odd);
    cluster.stop().await;
}

#[test]
fn concurrent_tests_in_many_runtimes_get_separate_databases() {
    let tests: Vec<_> = (0..4_i64)
        .map(|test| {
            thread::spawn(move || {
                tokio::runtime::Runtime::new().unwrap().block_on(async {
                    let database = testing::database().await;
                    let mut connection = PgConnection::connect(database.url()).await.unwrap();
                    sqlx::raw_sql("CREATE TABLE mine (test bigint)").execute(&mut connection).await.unwrap();
                    sqlx::query("INSERT INTO mine VALUES ($1)").bind(test).execute(&mut connection).await.unwrap();
                    let found: Vec<i64> =
                        sqlx::query_scalar("SELECT test FROM mine").fetch_all(&mut connection).await.unwrap();
                    assert_eq!(found, [test]);
                });
            })
        })
        .collect();
    for test in tests {
        test.join().unwrap();
    }
}
