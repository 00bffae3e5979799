//! How many may follow, and what becomes of those who do not keep up.

use std::time::{Duration, Instant};

use futures::{StreamExt, future};
use query_api::{LiveStats, Options};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{ORDER, closed, event, events, row, serve, told, until};
use crate::socket::{LIMIT, PROTOCOL, Socket};
use crate::support::World;

#[tokio::test]
async fn connections_are_bounded_and_end_when_the_instance_leaves() {
    let (stats, leaving) = (LiveStats::default(), CancellationToken::new());
    let options = Options { max_connections: 2, stats: stats.clone(), leaving: leaving.clone(), ..Options::default() };
    let world = World::with(&options).await;
    world.project(5, Some(&row("1", "Placed"))).await;
    let url = serve(world.router.clone()).await;
    let mut first = Socket::open(&url).await;
    first.subscribe("a", ORDER).await;
    assert_eq!(first.order("a").await, told("1", "Placed", 5));
    let mut events = events(&world, ORDER).await;
    assert_eq!(event(&mut events).await, ("next".to_owned(), json!({ "data": { "order": told("1", "Placed", 5) } })));
    assert_eq!(Socket::connect(&url, PROTOCOL).await.err(), Some(503));
    assert_eq!((stats.connections(), stats.subscriptions(), stats.let_go()), (2, 2, 0));
    leaving.cancel();
    assert_eq!(closed(&mut first).await, (1001, "This instance is leaving".to_owned()));
    assert_eq!(event(&mut events).await.0, "complete");
    assert!(timeout(LIMIT, events.next()).await.unwrap().is_none());
    drop((first, events));
    until("they are forgotten", || stats.connections() == 0 && stats.subscriptions() == 0).await;
}

/// Many orders change at once, from position `after` + 1 on.
async fn crowd(world: &World, after: i64, count: i64, attribute_bytes: i32) {
    let change = "INSERT INTO orders SELECT 'x' || n, 'w', 1, 'Placed', 'RUNNING', 'VINET', NULL, NULL, 'EUR', 1, '[]', NULL,
           jsonb_build_object('note', repeat('x', $3)), NULL, NULL, now(), now(), NULL, 0, n FROM generate_series($1 + 1, $1 + $2) AS n";
    let mut transaction = world.pool.begin().await.unwrap();
    sqlx::query(change).bind(after).bind(count).bind(attribute_bytes).execute(&mut *transaction).await.unwrap();
    sqlx::query("UPDATE checkpoints SET position = $1, prepare = $1")
        .bind(after + count)
        .execute(&mut *transaction)
        .await
        .unwrap();
    sqlx::query("SELECT pg_notify('tenuto_views', $1::text)")
        .bind((after + count).to_string())
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn a_subscriber_that_does_not_take_what_comes_is_let_go_with_a_reason_and_another_misses_nothing() {
    let stats = LiveStats::default();
    let world = World::with(&Options { stats: stats.clone(), ..Options::default() }).await;
    world.project(5, Some(&row("1", "Placed"))).await;
    let all = "subscription { orders(from: \"4\") { position } }";
    let (mut slow, mut quick) = (events(&world, all).await, events(&world, all).await);
    for events in [&mut slow, &mut quick] {
        assert_eq!(event(events).await.1["data"]["orders"]["position"], "5");
    }
    // Both have to have joined before more comes than they are kept.
    for (position, events) in [(6, &mut slow), (7, &mut quick)] {
        world.project(position, Some(&row("1", "Placed"))).await;
        let told = json!(position.to_string());
        while event(events).await.1["data"]["orders"]["position"] != told {}
    }
    // The queue of a subscriber holds one crowd, but not all of them.
    let taken = async {
        for after in [100, 600, 1_100] {
            crowd(&world, after, 500, 1).await;
            let mut seen = 0;
            while seen < after + 500 {
                let data = event(&mut quick).await.1;
                assert_eq!(data.get("errors"), None);
                seen = data["data"]["orders"]["position"].as_str().unwrap().parse().unwrap();
            }
        }
    };
    timeout(LIMIT, taken).await.expect("the quick one is held up");
    let mut last = Value::Null;
    loop {
        let (name, data) = event(&mut slow).await;
        if name == "complete" {
            break;
        }
        last = data;
    }
    assert_eq!(last["errors"][0]["extensions"]["code"], "TOO_SLOW", "{last}");
    assert_eq!(stats.let_go(), 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_its_connection_and_slows_no_other() {
    let stats = LiveStats::default();
    let options = Options { taking: Duration::from_millis(300), stats: stats.clone(), ..Options::default() };
    let world = World::with(&options).await;
    world.project(5, Some(&row("1", "Placed"))).await;
    let url = serve(world.router.clone()).await;
    let mut deaf = Socket::open(&url).await;
    deaf.subscribe("a", "subscription { orders(from: \"4\") { position attributes } }").await;
    assert_eq!(deaf.order("a").await["position"], "5");
    let mut reader = Socket::open(&url).await;
    reader.subscribe("a", "subscription { orders(from: \"4\") { position } }").await;
    assert_eq!(reader.order("a").await, json!({ "position": "5" }));
    crowd(&world, 100, 400, 100_000).await;
    while reader.order("a").await["position"] != "500" {}
    until("it is let go", || stats.let_go() == 1 && stats.connections() == 1).await;
    // These messages were on their way when the connection was closed.
    while let Some(Ok(_)) = timeout(LIMIT, deaf.0.next()).await.expect("it did not end in time") {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_subscribers_receive_each_change_with_a_few_reads_for_all() {
    const SUBSCRIBERS: usize = 1_000;
    const CHANGES: i64 = 20;
    let stats = LiveStats::default();
    let world = World::with(&Options { stats: stats.clone(), ..Options::default() }).await;
    world.project(1, Some(&row("1", "Placed"))).await;
    let url = serve(world.router.clone()).await;
    let mut sockets = Vec::new();
    for number in 0..SUBSCRIBERS {
        let mut socket = Socket::open(&url).await;
        let what = if number % 2 == 0 {
            "order(id: \"1\", from: \"0\")"
        } else {
            "orders(from: \"0\", where: {status: \"Placed\"})"
        };
        socket.subscribe("a", &format!("subscription {{ {what} {{ position steps {{ id }} timeline(last: 1) {{ nodes {{ revision }} }} }} }}")).await;
        assert_eq!(socket.order("a").await["position"], "1");
        sockets.push(socket);
    }
    // Until all have joined, they read for themselves what they may have missed.
    world.project(2, Some(&row("1", "Placed"))).await;
    for socket in &mut sockets {
        assert_eq!(socket.order("a").await["position"], "2");
    }
    assert_eq!((stats.connections(), stats.subscriptions()), (1_000, 1_000));

    let before = reads(&world).await;
    let mut slowest = Vec::new();
    for position in 3..3 + CHANGES {
        let start = Instant::now();
        world.project(position, Some(&row("1", "Placed"))).await;
        let received = future::join_all(sockets.iter_mut().map(async |socket| {
            assert_eq!(socket.order("a").await["position"], position.to_string());
        }));
        timeout(LIMIT, received).await.expect("a subscriber missed the change");
        slowest.push(start.elapsed());
    }
    slowest.sort_unstable();
    println!(
        "{SUBSCRIBERS} subscribers received a change within {:?} at the median, {:?} at most",
        slowest[slowest.len() / 2],
        slowest[slowest.len() - 1]
    );
    // Statistics come with a delay: some of them may be missing, and some may be of those who
    // joined, two for each. A read for each subscriber and change would be five times the bound.
    let start = Instant::now();
    let after = loop {
        let after = reads(&world).await;
        if after - before >= CHANGES {
            break after - before;
        }
        assert!(start.elapsed() < LIMIT, "{} reads", after - before);
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    println!("{after} reads of `orders` for {CHANGES} changes");
    assert!(after < 100 * CHANGES + 2 * 1_000, "{after} reads of `orders` for {CHANGES} changes");
}

/// How often `orders` has been read in this database.
async fn reads(world: &World) -> i64 {
    let scans = "SELECT (seq_scan + coalesce(idx_scan, 0))::bigint FROM pg_stat_user_tables WHERE relname = 'orders'";
    sqlx::query_scalar(scans).fetch_one(&world.pool).await.unwrap()
}
