use uuid::Uuid;

use super::storage::{Copy, StoredEvent};
use super::*;

/// Every finding with these fields.
fn with<'a>(findings: &'a [Value], fields: &Value) -> Vec<&'a Value> {
    let fields = fields.as_object().unwrap();
    findings.iter().filter(|finding| fields.iter().all(|(name, value)| finding[name] == *value)).collect()
}

#[track_caller]
fn has(findings: &[Value], fields: &Value) {
    assert!(!with(findings, fields).is_empty(), "{fields} in {findings:#?}");
}

/// Changes the data of an event to a text of the same length.
pub fn change_a_byte(event: &mut StoredEvent) {
    let at = event.data.iter().rposition(u8::is_ascii_digit).unwrap();
    event.data[at] = if event.data[at] == b'1' { b'2' } else { b'1' };
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_the_logs_rows_is_found_and_named() {
    let mut audited = Audited::sealed().await;
    audited.stop();
    let data = audited.world.data();
    let sound = Copy::of(&data);
    ends(&audited.verify(sound.path(), &[]), 0);
    drop(sound);

    one_byte(&audited, &data);
    chained_anew(&audited, &data);
    deleted(&audited, &data);
    deleted_and_renumbered(&audited, &data);
    reordered(&audited, &data);
    put_in(&audited, &data);
    cut(&audited, &data);
}

/// One byte of an event: of its data, its metadata, its type, its id, its hash.
fn one_byte(audited: &Audited, data: &Path) {
    let copy = Copy::of(data);
    let mut ids = Vec::new();
    copy.rewrite(|rows| {
        let (position, mut event) = rows.of("order-A").remove(2);
        change_a_byte(&mut event);
        rows.put(position, &event);
        let (position, mut event) = rows.of("order-B").remove(3);
        event.metadata = String::from_utf8(event.metadata).unwrap().replacen("\"schema\":1", "\"schema\":2", 1).into();
        rows.put(position, &event);
        let (position, mut event) = rows.of("order-C").remove(1);
        event.id[7] ^= 1;
        ids.push(Uuid::from_slice(&event.id).unwrap().to_string());
        rows.put(position, &event);
        let (position, mut event) = rows.of("order-D").remove(0);
        event.metadata = b"{}".to_vec();
        rows.put(position, &event);
    });
    let findings = audited.findings(copy.path(), &[]);
    has(&findings, &json!({ "in": "order", "order": "A", "revision": 2, "fault": "changed" }));
    has(&findings, &json!({ "in": "order", "order": "B", "revision": 3, "fault": "changed" }));
    has(&findings, &json!({ "in": "order", "order": "C", "revision": 1, "fault": "changed", "eventId": ids[0] }));
    has(&findings, &json!({ "in": "order", "order": "D", "revision": 0, "fault": "unreadable" }));
    assert_eq!(with(&findings, &json!({ "in": "order" })).len(), 4, "{findings:#?}");
    assert_eq!(with(&findings, &json!({ "order": "E" })), Vec::<&Value>::new());
    // The views still have the original value.
    has(&findings, &json!({ "in": "view", "table": "timeline", "row": "A 2", "column": "data" }));
    has(&findings, &json!({ "in": "view", "table": "timeline", "row": "C 1", "column": "event_id" }));
    // In the report for people, too.
    let reported = ends(&audit(&["verify", "A", "--data", copy.path()]), 1);
    assert!(
        reported.contains("order A, revision 2, event ") && reported.contains("does not have the hash that it says"),
        "{reported}"
    );
    // An operator cannot sign such a log by mistake.
    let reported = ends(&audit(&["seal", "--key", &audited.file("key"), "--data", copy.path()]), 1);
    assert!(reported.contains("nothing was sealed"), "{reported}");
}

/// An attacker who computes the hashes again leaves a valid chain. The seal and the views show the
/// change.
fn chained_anew(audited: &Audited, data: &Path) {
    let copy = Copy::of(data);
    copy.rewrite(|rows| {
        let mut events = rows.of("order-B");
        change_a_byte(&mut events[2].1);
        rows.chain_anew(&mut events, 2);
    });
    let findings = audited.findings(copy.path(), &[]);
    assert_eq!(with(&findings, &json!({ "in": "order" })), Vec::<&Value>::new());
    assert_eq!(with(&findings, &json!({ "in": "sealed" })).len(), 1, "{findings:#?}");
    has(&findings, &json!({ "in": "view", "table": "timeline", "row": "B 2", "column": "hash" }));
    // Without views, the seal in the log itself is enough to detect the change.
    let reported = ends(&audit(&["verify", "--all", "--data", copy.path()]), 1);
    assert!(reported.contains("their hashes recomputed"), "{reported}");
    // With the list of sealed orders, the order is named too.
    let heads = audited.file("heads");
    let reported = ends(&audit(&["verify", "--all", "--data", copy.path(), "--heads", &heads]), 1);
    assert!(
        reported.contains("order B, revision ") && reported.contains("is not the known event of this revision"),
        "{reported}"
    );
    assert!(!reported.contains("order A"), "{reported}");
}

fn deleted(audited: &Audited, data: &Path) {
    let copy = Copy::of(data);
    copy.rewrite(|rows| rows.remove(rows.of("order-A")[3].0));
    let findings = audited.findings(copy.path(), &[]);
    has(&findings, &json!({ "in": "order", "order": "A", "revision": 4, "fault": "missing", "from": 3, "to": 3 }));
    has(&findings, &json!({ "in": "view", "table": "timeline", "row": "A 3", "log": null, "view": "a row" }));
}

fn deleted_and_renumbered(audited: &Audited, data: &Path) {
    let copy = Copy::of(data);
    copy.rewrite(|rows| rows.remove_and_renumber(rows.of("order-A")[3].0));
    let findings = audited.findings(copy.path(), &[]);
    has(&findings, &json!({ "in": "order", "order": "A", "revision": 3, "fault": "changed" }));
    assert_eq!(with(&findings, &json!({ "in": "sealed" })).len(), 1, "{findings:#?}");
    // Without it, the later events do not form an order: the projector would have set them aside.
    has(&findings, &json!({ "in": "view", "table": "timeline", "row": "A 3", "column": null, "log": null }));
    has(&findings, &json!({ "in": "view", "table": "parked", "row": "order-A 3", "column": null, "view": null }));
}

fn reordered(audited: &Audited, data: &Path) {
    let copy = Copy::of(data);
    copy.rewrite(|rows| {
        let events = rows.of("order-A");
        let [(first, one), (second, other)] = [&events[2], &events[3]];
        rows.put(*first, &StoredEvent { revision: one.revision, ..other.clone() });
        rows.put(*second, &StoredEvent { revision: other.revision, ..one.clone() });
    });
    let findings = audited.findings(copy.path(), &[]);
    has(&findings, &json!({ "in": "order", "order": "A", "revision": 2, "fault": "moved", "after": 3 }));
    has(&findings, &json!({ "in": "order", "order": "A", "revision": 3, "fault": "moved", "after": 1 }));
}

/// Inserts an event of another order.
fn put_in(audited: &Audited, data: &Path) {
    let copy = Copy::of(data);
    copy.rewrite(|rows| {
        let (_, event) = rows.of("order-B").remove(3);
        let (position, replaced) = rows.of("order-A").remove(3);
        rows.put(position, &StoredEvent { stream: replaced.stream, ..event });
    });
    let findings = audited.findings(copy.path(), &[]);
    has(&findings, &json!({ "in": "order", "order": "A", "revision": 3, "fault": "foreign", "belongsTo": "B" }));
}

/// Removes the end of the log, with every trace in the log.
fn cut(audited: &Audited, data: &Path) {
    let copy = Copy::of(data);
    let (mut position, mut gone) = (0, 0);
    copy.rewrite(|rows| {
        let events = rows.of("order-A");
        let last = &events[events.len() - 1];
        (position, gone) = (last.0 - 1, last.1.revision);
        rows.cut(&copy, position);
    });
    // The log alone cannot show it, and the report states that.
    let reported = ends(&audit(&["verify", "--all", "--data", copy.path()]), 0);
    assert!(reported.contains("end: nothing here shows whether events were cut off"), "{reported}");
    // The views show it, event by event. So does a seal that was kept outside.
    let findings = audited.findings(copy.path(), &[]);
    let is_cut = |finding: &&Value| finding["reason"].as_str().is_some_and(|reason| reason.contains("cut off its end"));
    assert!(with(&findings, &json!({ "in": "log" })).iter().any(is_cut), "{findings:#?}");
    has(&findings, &json!({ "in": "view", "table": "timeline", "row": format!("A {gone}"), "log": null }));
    has(
        &findings,
        &json!({ "in": "view", "table": "orders", "row": "A", "column": "revision", "log": (gone - 1).to_string() }),
    );
    let seal = audited.file("seal.json");
    let reported = ends(&audit(&["verify", "--all", "--data", copy.path(), "--seal", &seal]), 1);
    assert!(reported.contains("the log does not have this seal") && reported.contains("was cut off"), "{reported}");
    let heads = audited.file("heads");
    let reported = ends(&audit(&["verify", "--all", "--data", copy.path(), "--seal", &seal, "--heads", &heads]), 1);
    let named = format!("order A, revision {}, event ", gone - 1);
    assert!(
        reported.contains(&named) && reported.contains(&format!("its events up to revision {gone} were cut off")),
        "{reported}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bit_flipped_by_the_disk_or_by_hand_is_named() {
    let mut audited = Audited::sealed().await;
    audited.stop();
    let data = audited.world.data();
    // In the journal, which has the newest events.
    let copy = Copy::of(&data);
    let mut content = Vec::new();
    copy.rewrite(|rows| content = rows.of("order-A").remove(2).1.data);
    let copy = Copy::of(&data);
    copy.flip_within(&content);
    let findings = audited.findings(copy.path(), &[]);
    let reason = findings[0]["reason"].as_str().unwrap();
    assert!(findings[0]["in"] == "log" && reason.contains("damaged") && reason.contains(".jnl"), "{findings:#?}");
    // In a table, which has older events: some positions cannot be read, and the orders there are
    // named.
    let copy = Copy::of(&data);
    copy.move_into_tables();
    copy.flip_in_the_largest_table();
    let findings = audited.findings(copy.path(), &[]);
    let unread = |finding: &&Value| {
        finding["reason"]
            .as_str()
            .is_some_and(|reason| reason.starts_with("positions ") && reason.contains("cannot be read"))
    };
    assert!(with(&findings, &json!({ "in": "log" })).iter().any(unread), "{findings:#?}");
    has(&findings, &json!({ "in": "order", "fault": "missing" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_a_view_that_differs_from_the_log_is_named_with_both_values() {
    let mut audited = Audited::sealed().await;
    audited.stop();
    let data = audited.world.data();
    let data = data.to_str().unwrap();
    for statement in [
        "UPDATE orders SET total = 1.50 WHERE id = 'A'",
        "UPDATE orders SET customer_email = 'ann@vinet.example' WHERE id = 'B'",
        "UPDATE steps SET attempts = 7 WHERE order_id = 'A' AND step = 'charge'",
        "UPDATE timeline SET data = jsonb_set(data, '{at}', '\"2020-01-01T00:00:00Z\"') WHERE order_id = 'B' AND revision = 1",
        "DELETE FROM timeline WHERE order_id = 'C' AND revision = 2",
        "INSERT INTO todo VALUES ('A', now(), 0, 0)",
        "UPDATE todo SET due_at = due_at + interval '1 second' WHERE order_id = 'D'",
        "UPDATE workflows SET outline = '[]' WHERE name = 'order-parallel'",
        "INSERT INTO orders SELECT 'Z', workflow, workflow_version, status, state, customer_id, customer_name, customer_email, currency,
             total, lines, ship_to, attributes, result, stuck_reason, placed_at, updated_at, ended_at, revision, position, parked
             FROM orders WHERE id = 'E'",
    ] {
        audited.execute(statement).await;
    }
    let findings = audited.findings(data, &["--views"]);
    has(
        &findings,
        &json!({ "in": "view", "table": "orders", "row": "A", "order": "A", "column": "total", "log": "28.00", "view": "1.50" }),
    );
    has(
        &findings,
        &json!({ "table": "orders", "row": "B", "column": "customer_email", "log": null, "view": "ann@vinet.example" }),
    );
    has(&findings, &json!({ "table": "steps", "row": "A charge", "column": "attempts", "log": "1", "view": "7" }));
    has(&findings, &json!({ "table": "timeline", "row": "B 1", "column": "data" }));
    has(&findings, &json!({ "table": "timeline", "row": "C 2", "column": null, "log": "a row", "view": null }));
    has(&findings, &json!({ "table": "todo", "row": "A", "column": null, "log": null, "view": "a row" }));
    has(&findings, &json!({ "table": "todo", "row": "D", "column": "due_at" }));
    has(&findings, &json!({ "table": "workflows", "row": "order-parallel 1", "column": "outline", "view": "[]" }));
    has(&findings, &json!({ "table": "orders", "row": "Z", "column": null, "log": null }));
    assert_eq!(findings.len(), 9, "{findings:#?}");
    // Only one order.
    let postgres = audited.world.database.url();
    let reported = ends(&audit(&["verify", "A", "--data", data, "--postgres", postgres]), 1);
    assert!(
        reported.contains(r#"column total: the log has "28.00", the view has "1.50""#) && !reported.contains("row B"),
        "{reported}"
    );
    assert!(reported.contains("3 differences"), "{reported}");
}
