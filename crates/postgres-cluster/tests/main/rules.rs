//! Who may connect, and what is noticed of a disk that changes data.

use std::os::unix::fs::PermissionsExt;

use postgres_cluster::Cluster;
use sqlx::{Connection, PgConnection};

use crate::{execute, fleeting, number, reachable_folder, text};

/// Rules that let each user of the system be any role.
const TRUST: &str = "local all all trust\n";

const UNSAFE_RULES: &str = "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method IS DISTINCT FROM 'peer'";

#[tokio::test]
async fn only_this_user_may_connect_and_pages_have_checksums() {
    let folder = reachable_folder();
    let cluster = Cluster::start(fleeting(folder.path().join("postgres"))).await.unwrap();
    assert_eq!(text(&cluster, "SHOW data_checksums").await, "on");
    assert_eq!(number(&cluster, "postgres", UNSAFE_RULES).await, 0);
    execute(&cluster, "postgres", "CREATE ROLE other LOGIN").await;
    let other = cluster.url("postgres").replace("postgres://tenuto@", "postgres://other@");
    let refused = PgConnection::connect(&other).await.unwrap_err().to_string();
    assert!(refused.contains("pg_hba.conf") || refused.contains("eer authentication"), "{refused}");
    cluster.stop().await;
}

#[tokio::test]
async fn a_cluster_that_trusted_everyone_gets_the_rules_at_its_next_start() {
    let folder = reachable_folder();
    let options = fleeting(folder.path().join("postgres"));
    let cluster = Cluster::start(options.clone()).await.unwrap();
    execute(&cluster, "postgres", "CREATE TABLE kept (id bigint); INSERT INTO kept VALUES (7)").await;
    let data = cluster.data_folder();
    cluster.stop().await;
    std::fs::write(data.join("pg_hba.conf"), TRUST).unwrap();
    let cluster = Cluster::start(options).await.unwrap();
    assert_eq!(number(&cluster, "postgres", UNSAFE_RULES).await, 0);
    assert_eq!(number(&cluster, "postgres", "SELECT id FROM kept").await, 7);
    for file in ["pg_hba.conf", "pg_ident.conf"] {
        assert_eq!(std::fs::metadata(data.join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    cluster.stop().await;
}
