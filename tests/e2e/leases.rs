//! Which instance gets which order of the to-do list.

use std::time::Duration;

use chrono::Utc;
use command_handler::{TodoList, TodoOptions};
use leader_consumer::LogAlarm;
use postgres_cluster::testing::{TestDatabase, database};
use sqlx::PgPool;
use views::todo::release_leases;

struct List {
    pool: PgPool,
    _database: TestDatabase,
}

impl List {
    async fn new() -> Self {
        let database = database().await;
        let pool = PgPool::connect(database.url()).await.unwrap();
        views::migrate(&pool).await.unwrap();
        Self { pool, _database: database }
    }

    /// Records that an order has due work at this revision.
    async fn due(&self, order: &str, revision: i64) {
        let row =
            "INSERT INTO todo (order_id, due_at, revision, position) VALUES ($1, now() - interval '1 second', $2, 0)
                   ON CONFLICT (order_id) DO UPDATE SET due_at = excluded.due_at, revision = excluded.revision";
        sqlx::query(row).bind(order).bind(revision).execute(&self.pool).await.unwrap();
    }

    async fn claim(&self, owner: &str, lease: Duration) -> Vec<String> {
        let options =
            TodoOptions { owner: owner.to_owned(), lease, every: Duration::ZERO, most: 10, alarm: LogAlarm::default() };
        self.pool.claim(Utc::now(), options.most, &options).await.unwrap().orders
    }
}

const LONG: Duration = Duration::from_hours(1);

#[tokio::test]
async fn an_order_claimed_by_one_instance_is_left_alone_by_others_until_it_is_done() {
    let list = List::new().await;
    list.due("A", 3).await;
    assert_eq!(list.claim("one", LONG).await, ["A"]);
    assert!(list.claim("other", LONG).await.is_empty());
    assert!(list.claim("one", LONG).await.is_empty(), "it is being worked on");
    list.due("A", 4).await;
    assert_eq!(list.claim("other", LONG).await, ["A"], "the earlier work is done");
    assert!(list.claim("one", LONG).await.is_empty());
}

#[tokio::test]
async fn an_expired_lease_is_taken_over() {
    let list = List::new().await;
    list.due("A", 3).await;
    assert_eq!(list.claim("one", Duration::ZERO).await, ["A"]);
    assert_eq!(list.claim("other", LONG).await, ["A"]);
}

#[tokio::test]
async fn a_released_order_can_be_claimed_by_any_instance_at_once() {
    let list = List::new().await;
    list.due("A", 3).await;
    assert_eq!(list.claim("one", LONG).await, ["A"]);
    list.due("B", 1).await;
    assert_eq!(list.claim("other", LONG).await, ["B"]);
    assert_eq!(release_leases(&list.pool, "one").await.unwrap(), 1);
    assert_eq!(list.claim("third", LONG).await, ["A"], "only its own");
}

#[tokio::test]
async fn a_lease_of_an_earlier_build_lasts_until_its_end() {
    let list = List::new().await;
    list.due("A", 3).await;
    let earlier = "INSERT INTO leases (order_id, owner, until) VALUES ('A', 'earlier', now() + interval '1 hour')";
    sqlx::query(earlier).execute(&list.pool).await.unwrap();
    list.due("A", 4).await;
    assert!(list.claim("one", LONG).await.is_empty());
}
