//! The views say what the events say, however they came.

use std::num::NonZeroUsize;
use std::time::Duration;

use chrono::{DateTime, Utc};
use projector::{ProjectorError, ProjectorOptions};
use sqlx::postgres::PgListener;
use views::channels::MOVED;

use domain::ids::OrderId;
use domain::order::{NewOrder, Reply, evolve};
use domain::testing::{Story, done, order, refused, unclear};
use domain::wire;
use domain::workflow::Workflow;
use event_store::NewEvent;

use crate::histories::{History, WORKFLOW, all_ways, history};
use crate::support::{Log, Running, Views, batches_of};

/// Id, status, outcome, when the next attempt is due, since when it stands there, and until when.
type Step = (String, String, Option<String>, [Option<DateTime<Utc>>; 3]);

/// State and status of an order after each of its events.
fn stands_of(history: &History) -> Vec<(String, String)> {
    let decoded = |event: &NewEvent| wire::decode_event(&event.event_type, &event.data, &event.metadata).unwrap();
    let folded = history.events.iter().scan(None, |state, event| {
        *state = Some(evolve(state.take(), &decoded(event)).unwrap());
        state.as_ref().map(|after| (after.state().to_string(), after.status.clone()))
    });
    folded.collect()
}

#[tokio::test]
async fn orders_stand_in_the_views_as_their_events_left_them() {
    let histories = all_ways();
    let (log, last) = Log::with(&histories).await;
    let views = Views::of(&log, last, batches_of(1_000)).await;
    for history in &histories {
        let state = &history.state;
        let id = history.id.as_str();
        let order: (String, String, i64, Option<String>, Option<String>) = sqlx::query_as(
            "SELECT o.status, o.state, o.revision, o.stuck_reason, to_char(t.due_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS')
             FROM orders o LEFT JOIN todo t ON t.order_id = o.id AND t.revision = o.revision AND t.position = o.position WHERE id = $1",
        )
        .bind(id)
        .fetch_one(&views.pool)
        .await
        .unwrap();
        let due = state.due_at().map(|at| at.format("%Y-%m-%dT%H:%M:%S%.3f").to_string());
        let revision = i64::try_from(history.events.len()).unwrap() - 1;
        let stuck = state.stuck_reason().map(str::to_owned);
        assert_eq!(order, (state.status.clone(), state.state().to_string(), revision, stuck, due), "{id}");

        let steps: Vec<Step> = sqlx::query_as(
            "SELECT step, status, outcome, ARRAY[next_attempt_at, since, due_at]
             FROM steps WHERE order_id = $1 ORDER BY step COLLATE \"C\"",
        )
        .bind(id)
        .fetch_all(&views.pool)
        .await
        .unwrap()
        .into_iter()
        .map(|(step, status, outcome, times): (_, _, _, Vec<_>)| (step, status, outcome, times.try_into().unwrap()))
        .collect();
        let folded = state.steps.iter().map(|(id, step)| {
            let times = [step.next_attempt_at(), Some(step.since), step.due_at()];
            (id.clone(), step.status().to_string(), step.outcome.clone(), times)
        });
        assert_eq!(steps, folded.collect::<Vec<_>>(), "{id}");

        let entries: Vec<(String, String)> =
            sqlx::query_as("SELECT state, status FROM timeline WHERE order_id = $1 ORDER BY revision")
                .bind(id)
                .fetch_all(&views.pool)
                .await
                .unwrap();
        assert_eq!(entries, stands_of(history), "{id}");
    }
    assert_eq!(views.texts("SELECT state FROM orders ORDER BY id").await.len(), histories.len());
    let outline =
        "SELECT step ->> 'id' || ' ' || (step ->> 'mode') FROM workflows, jsonb_array_elements(outline) AS step";
    assert_eq!(
        views.texts(outline).await,
        [
            "create-order CALL",
            "charge CALL",
            "ship REQUEST",
            "record-shipped CALL",
            "notify-shipped CALL",
            "record-backorder CALL",
            "notify-backorder CALL",
            "record-canceled CALL",
            "notify-canceled CALL",
        ]
    );
    let modes = "SELECT DISTINCT mode FROM steps WHERE mode IS NOT NULL ORDER BY 1";
    assert_eq!(views.texts(modes).await, ["CALL", "REQUEST"]);
}

#[tokio::test]
async fn an_order_that_is_held_is_stuck_with_the_mistake_and_nothing_of_it_is_due_or_undone() {
    let (log, last) = Log::with(&all_ways()).await;
    let views = Views::of(&log, last, batches_of(1_000)).await;
    for (id, mistake) in
        [("held", "the key of the customer is missing"), ("misconfigured", "401 Unauthorized: the key has expired")]
    {
        let texts = async |query: &'static str| -> Vec<String> {
            sqlx::query_scalar(query).bind(id).fetch_all(&views.pool).await.unwrap()
        };
        let order = texts("SELECT state || ' ' || status || ' ' || stuck_reason FROM orders WHERE id = $1").await;
        assert!(
            order[0].starts_with("STUCK Placed payments.charge is held") && order[0].contains(mistake),
            "{order:?}"
        );
        let steps = texts(
            "SELECT step || ' ' || status || ' ' || coalesce(last_error, '') FROM steps WHERE order_id = $1 ORDER BY started_at, step DESC",
        )
        .await;
        assert_eq!(steps[0], "create-order COMPLETED ");
        assert!(steps[1].starts_with("charge STUCK ") && steps[1].contains(mistake), "{steps:?}");
        assert_eq!(steps.len(), 2, "nothing is undone: {steps:?}");
        assert!(texts("SELECT order_id FROM todo WHERE order_id = $1 AND due_at IS NOT NULL").await.is_empty());
        let told = texts("SELECT summary FROM timeline WHERE order_id = $1 AND type = 'StepFailed'").await;
        assert!(told.len() == 1 && told[0].contains(mistake), "{told:?}");
    }
}

#[tokio::test]
async fn an_event_that_ends_a_call_has_its_participant_and_how_long_it_took() {
    let workflow = Workflow::parse(WORKFLOW).unwrap();
    let mut story = Story::given(&workflow);
    story.place(NewOrder { order_id: Some(OrderId::new("called").unwrap()), ..order() }).whatever();
    let answer_after = |story: &mut Story<'_>, milliseconds: u64, step: &str, reply: Reply| {
        story.pass(Duration::from_millis(milliseconds));
        story.answer(step, reply).whatever();
    };
    answer_after(&mut story, 120, "create-order", done());
    answer_after(&mut story, 2_000, "charge", unclear("503 Service Unavailable"));
    // These calls say nothing about the participant.
    story.tick_when_due().whatever();
    story.not_sent(story.attempt("charge"), "too many calls at once", Duration::from_secs(1)).whatever();
    story.tick_when_due().whatever();
    story.hand_over(story.in_flight()).whatever();
    story.tick_when_due().whatever();
    answer_after(&mut story, 300, "charge", done());
    // The answer comes later: the call ended when it was accepted.
    answer_after(&mut story, 40, "ship", Reply::Accepted);
    story.pass(Duration::from_hours(1));
    story.signal("ship", "out_of_stock").whatever();
    // Undos are not counted.
    answer_after(&mut story, 70, "charge", refused("the account is closed"));
    let (log, last) = Log::with(&[history("called", story.history(), story.state())]).await;
    let views = Views::of(&log, last, batches_of(1_000)).await;
    let calls = "SELECT concat_ws(' ', type, participant || '.' || action, took_ms) FROM timeline
                 WHERE num_nulls(participant, action, took_ms) < 3 ORDER BY revision";
    assert_eq!(
        views.texts(calls).await,
        [
            "StepCompleted orders.create 120",
            "StepAttemptFailed payments.charge 2000",
            "StepCompleted payments.charge 300",
            "StepAccepted shipping.ship 40",
        ]
    );
}

/// Orders that completed with a result: one that failed, and one in which only one of two texts
/// holds personal data.
fn with_results() -> Vec<History> {
    let file = |result: &str| {
        format!(
            "workflow: r\nversion: 1\nparticipants: {{ p: {{ url: 'http://localhost' }} }}\nsteps: {{ a: {{ call: p.a }} }}\nresult: \"{result}\""
        )
    };
    let told = |id: &str, result: &str| {
        let workflow = Workflow::parse(&file(result)).unwrap();
        let mut story = Story::given(&workflow);
        let attributes = [("note".to_owned(), "⟦customer.email⟧".into())].into_iter().collect();
        story.place(NewOrder { order_id: Some(OrderId::new(id).unwrap()), attributes, ..order() }).whatever();
        story.answer("a", done()).whatever();
        history(id, story.history(), story.state())
    };
    vec![
        told("failed", "{ 'tracking': steps.a.data.tracking }"),
        told("mixed", "{ 'to': order.customer.email, 'note': order.attributes.note }"),
        told("plain", "order.id"),
    ]
}

#[tokio::test]
async fn a_result_stands_in_the_views_with_why_it_failed_and_what_is_personal_in_it() {
    let (log, last) = Log::with(&with_results()).await;
    let views = Views::of(&log, last, batches_of(1_000)).await;
    let results =
        "SELECT concat_ws(' | ', id, result::text, result_placeholders::text, result_error) FROM orders ORDER BY id";
    let shown = views.texts(results).await;
    assert!(shown[0].starts_with("failed | ") && shown[0].contains("tracking"), "{}", shown[0]);
    assert_eq!(
        shown[1..],
        [r#"mixed | {"to": "⟦customer.email⟧", "note": "⟦customer.email⟧"} | {"/to": [0]}"#, r#"plain | "plain""#,]
    );
    let sentence = "SELECT summary FROM timeline WHERE order_id = 'failed' AND type = 'OrderCompleted'";
    let told = views.texts(sentence).await;
    assert!(told[0].starts_with("The order is completed; its result has no value: "), "{}", told[0]);
}

#[tokio::test]
async fn the_migration_gives_earlier_orders_what_a_rebuild_would() {
    let mut histories = all_ways();
    histories.extend(with_results());
    let (log, last) = Log::with(&histories).await;
    let views = Views::of(&log, last, batches_of(1_000)).await;
    let rows = views.rows().await;
    views.sql("ALTER TABLE orders DROP COLUMN result_error, DROP COLUMN result_placeholders").await;
    views.sql("UPDATE timeline SET summary = 'The order is completed' WHERE type = 'OrderCompleted'").await;
    views.sql(include_str!("../../../crates/views/migrations/0017_results.sql")).await;
    assert_eq!(views.rows().await, rows);
}

#[tokio::test]
async fn every_event_applied_twice_changes_nothing() {
    let (log, last) = Log::with(&all_ways()).await;
    let views = Views::of(&log, last, batches_of(1_000)).await;
    let once = views.rows().await;
    for batch in [1, 5, 1_000] {
        views.sql("DELETE FROM checkpoints").await;
        let again = Running::start(&log, &views, batches_of(batch));
        again.reach(last).await;
        again.stop().await;
        assert_eq!(views.rows().await, once, "in batches of {batch}");
    }
}

#[tokio::test]
async fn the_views_do_not_depend_on_how_events_fall_into_batches() {
    let (log, last) = Log::with(&all_ways()).await;
    let reference = Views::of(&log, last, batches_of(1_000)).await.rows().await;
    for batch in [1, 2, 3, 7, 20] {
        // Memory for one order only: most batches begin by reading the log.
        let options = ProjectorOptions { cached_orders: NonZeroUsize::MIN, ..batches_of(batch) };
        assert_eq!(Views::of(&log, last, options).await.rows().await, reference, "in batches of {batch}");
    }
}

#[tokio::test]
async fn a_batch_looks_up_its_rows_and_reads_no_view_whole() {
    let histories = all_ways();
    let (log, last) = Log::with(&histories).await;
    let views = Views::of(&log, last, batches_of(1)).await;
    let events: usize = histories.iter().map(|history| history.events.len()).sum();
    // Postgres counts what a connection has done once that has ended.
    let counted = "SELECT relname || ' ' || n_tup_ins FROM pg_stat_user_tables WHERE relname = 'timeline'";
    views.until_texts(counted, &[format!("timeline {events}")]).await;
    // The migrations read each a few times.
    let often = "SELECT relname || ' ' || seq_scan FROM pg_stat_user_tables WHERE seq_scan > 30";
    assert!(events > 60, "{events} are too few to compare");
    assert_eq!(views.texts(often).await, [""; 0]);
}

#[tokio::test]
async fn a_projector_goes_on_where_the_one_before_stopped() {
    let (log, last) = Log::with(&all_ways()).await;
    let reference = Views::of(&log, last, batches_of(1_000)).await.rows().await;
    let views = Views::empty().await;
    let mut position = None;
    for batch in [1, 4, 2, 9, 1_000] {
        let projector = Running::start(&log, &views, batches_of(batch));
        position = projector.until(|now| now.position > position || now.position == Some(last)).await.position;
        projector.stop().await;
    }
    let projector = Running::start(&log, &views, batches_of(3));
    let snapshot = projector.until(|now| now.caught_up).await;
    assert_eq!((snapshot.position >= Some(last), snapshot.parked), (true, 0));
    projector.stop().await;
    assert_eq!(views.rows().await, reference);
}

#[tokio::test]
async fn each_committed_batch_is_announced_with_its_position() {
    let (log, last) = Log::with(&all_ways()).await;
    let views = Views::empty().await;
    let mut listener = PgListener::connect_with(&views.pool).await.unwrap();
    listener.listen(MOVED).await.unwrap();
    let projector = Running::start(&log, &views, batches_of(5));
    projector.reach(last).await;
    let mut announced = 0;
    while announced < last.commit {
        let position: u64 = listener.recv().await.unwrap().payload().parse().unwrap();
        assert!(position > announced);
        announced = position;
    }
    projector.stop().await;
}

#[tokio::test]
async fn a_database_without_the_schema_is_an_error_not_a_wait() {
    let log = Log::empty().await;
    let views = Views::without_schema().await;
    let projector = Running::start(&log, &views, batches_of(1));
    let error = projector.task.await.unwrap().unwrap_err();
    assert!(matches!(error, ProjectorError::Schema(_)), "{error}");
}

/// Hours, and all together, in which a status and a state are counted otherwise than there are
/// orders.
const MISCOUNTED: &str = "
    WITH there AS (
        SELECT date_trunc('hour', placed_at, 'UTC') AS hour, state, status, count(*) AS orders FROM orders GROUP BY 1, 2, 3
        UNION ALL SELECT '-infinity', state, status, count(*) FROM orders GROUP BY 2, 3
    )
    SELECT hour || ' ' || state || ' ' || status FROM there FULL JOIN order_counts USING (hour, state, status)
    WHERE there.orders IS DISTINCT FROM order_counts.orders";

/// Definitions and states that are counted otherwise than there are orders.
const MISCOUNTED_BY_WORKFLOW: &str = "
    WITH there AS (
        SELECT workflow, workflow_version AS version, state, count(*) AS orders FROM orders GROUP BY 1, 2, 3
    )
    SELECT workflow || ' ' || version || ' ' || state
    FROM there FULL JOIN workflow_counts USING (workflow, version, state)
    WHERE there.orders IS DISTINCT FROM workflow_counts.orders";

#[tokio::test]
async fn orders_are_counted_as_they_stand_after_every_batch() {
    let histories = all_ways();
    let (log, last) = Log::with(&histories).await;
    for batch in [1, 7, 1_000] {
        let views = Views::empty().await;
        let projector = Running::start(&log, &views, batches_of(batch));
        while projector.health.now().position < Some(last) {
            assert_eq!(views.texts(MISCOUNTED).await, [""; 0], "in batches of {batch}");
            assert_eq!(views.texts(MISCOUNTED_BY_WORKFLOW).await, [""; 0], "in batches of {batch}");
        }
        projector.stop().await;
        assert_eq!(views.texts(MISCOUNTED).await, [""; 0], "in batches of {batch}");
        let counted = "SELECT sum(orders)::text FROM order_counts WHERE hour = '-infinity'";
        assert_eq!(views.texts(counted).await, [histories.len().to_string()]);
        assert_eq!(views.texts(MISCOUNTED_BY_WORKFLOW).await, [""; 0], "in batches of {batch}");
        let counted = "SELECT sum(orders)::text FROM workflow_counts";
        assert_eq!(views.texts(counted).await, [histories.len().to_string()]);
    }
}
