use std::fs::{read_to_string, write};

use super::storage::Copy;
use super::tampering::change_a_byte;
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_proves_itself_without_a_server_and_an_altered_one_does_not() {
    let mut audited = Audited::sealed().await;
    let log = audited.world.log.clone();
    // Later events are chained to the sealed ones, and not covered by the seal.
    let (status, _) =
        audited.world.post("/participants/shipping/restock", &json!([{ "sku": "none", "quantity": 9 }])).await;
    assert!(status < 300);
    audited.world.comes_to("D", "Shipped", "COMPLETED").await;
    let export = |order: &str, to: &str| audit(&["export", order, "--out", to, "--event-store", &log]);
    let (a, d) = (audited.file("a.json"), audited.file("d.json"));
    ends(&export("A", &a), 0);
    ends(&export("D", &d), 0);
    assert!(ends(&export("D", &d), 2).contains("exists"));
    audited.world.place(&order("late", "order-fulfilment", "11", 1)).await;
    let late = audited.file("late.json");
    ends(&export("late", &late), 0);
    audited.stop();

    let public = audited.file("key.pub");
    let verify = |file: &str| audit(&["verify", "--bundle", file, "--public-key", &public]);
    let reported = ends(&verify(&a), 0);
    assert!(reported.contains("seal: number 0") && reported.contains("over 5 orders"), "{reported}");
    assert!(!reported.contains("key:") && !reported.contains("end:"), "{reported}");
    let reported = ends(&verify(&d), 0);
    assert!(reported.contains("no seal covers them"), "{reported}");
    assert!(ends(&verify(&late), 2).contains("the key was not verified"));
    assert!(ends(&audit(&["verify", "--bundle", &late]), 0).contains("none covers this order"));
    let reported = ends(&audit(&["verify", "--bundle", &a]), 0);
    assert!(reported.contains("only that the bundle is intact under the key that is in it"), "{reported}");
    ends(&audit(&["keygen", &audited.file("other")]), 0);
    let reported = ends(&audit(&["verify", "--bundle", &a, "--public-key", &audited.file("other.pub")]), 1);
    assert!(reported.contains("another key than expected"), "{reported}");

    let bundle: Value = serde_json::from_str(&read_to_string(&a).unwrap()).unwrap();
    let altered = audited.file("altered.json");
    let alter = |change: &dyn Fn(&mut Value)| {
        let mut bundle = bundle.clone();
        change(&mut bundle);
        write(&altered, bundle.to_string()).unwrap();
        ends(&verify(&altered), 1)
    };
    let reported = alter(&|bundle| {
        let text = bundle["events"][2]["data"]["text"].as_str().unwrap().replacen(':', ": ", 1);
        bundle["events"][2]["data"]["text"] = text.into();
    });
    assert!(
        reported.contains("order A, revision 2, event ") && reported.contains("does not have the hash"),
        "{reported}"
    );
    let reported = alter(&|bundle| drop(bundle["events"].as_array_mut().unwrap().remove(2)));
    assert!(reported.contains("revision 2 is missing before it"), "{reported}");
    let reported = alter(&|bundle| {
        let events = bundle["events"].as_array_mut().unwrap();
        events.swap(2, 3);
        (events[2]["revision"], events[3]["revision"]) = (2.into(), 3.into());
    });
    assert!(reported.contains("order A, revision 2") && reported.contains("was moved"), "{reported}");
    let reported = alter(&|bundle| drop(bundle["events"].as_array_mut().unwrap().pop()));
    assert!(reported.contains("were cut off") && reported.contains("not in the seal's tree"), "{reported}");
    let reported = alter(&|bundle| bundle["sealed"]["seal"]["orders"] = 6.into());
    assert!(reported.contains("its signature does not hold"), "{reported}");
    let reported = alter(&|bundle| bundle["sealed"]["inclusion"]["index"] = 3.into());
    assert!(reported.contains("not in the seal's tree"), "{reported}");
    write(&altered, "{").unwrap();
    assert!(ends(&verify(&altered), 2).contains("is no bundle"));

    from_a_log_that_was_tampered_with(&audited);
}

/// A fault of the log is also a fault of the bundle, and both reports name it.
fn from_a_log_that_was_tampered_with(audited: &Audited) {
    let copy = Copy::of(&audited.world.data());
    copy.rewrite(|rows| {
        let (position, mut event) = rows.of("order-A").remove(2);
        change_a_byte(&mut event);
        rows.put(position, &event);
        let mut events = rows.of("order-B");
        events[3].1.data.push(b' ');
        rows.chain_anew(&mut events, 3);
    });
    for (order, named) in [("A", "order A, revision 2"), ("B", "not in the seal's tree")] {
        let file = audited.file(&format!("tampered-{order}.json"));
        ends(&audit(&["export", order, "--out", &file, "--data", copy.path()]), 1);
        let reported = ends(&audit(&["verify", "--bundle", &file]), 1);
        assert!(reported.contains(named), "{reported}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_is_exported_for_people_without_active_content() {
    let audited = Audited::sealed().await;
    let cancel = json!({ "reason": "=HYPERLINK(\"http://evil.example\")", "actor": "<script>alert(1)</script>" });
    let (status, body) = audited.world.post("/orders/D/cancel", &cancel).await;
    assert_eq!(status, 202, "{body}");
    audited.world.comes_to("D", "Canceled", "CANCELED").await;
    let export = |format: &str| {
        let output = audit(&["export", "D", "--format", format, "--event-store", &audited.world.log]);
        ends(&output, 0);
        String::from_utf8(output.stdout).unwrap()
    };
    let entries: Vec<Value> = export("jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries[0]["type"], "OrderPlaced");
    assert_eq!(entries[0]["summary"], "Placed by customer VINET: 1 line, 112.00 EUR");
    assert!(entries.iter().zip(0..).all(|(entry, revision)| entry["revision"] == revision));

    let csv = export("csv");
    assert_eq!(csv.lines().count(), entries.len() + 1);
    assert!(csv.ends_with("\r\n") && csv.contains("\"'=HYPERLINK(\"\"http://evil.example\"\")\""), "{csv}");

    let html = export("html");
    assert!(!html.contains("<script>alert(1)") && html.contains("&lt;script&gt;alert(1)"), "{html}");
    assert!(!html.contains("src=") && !html.contains("href="), "{html}");
    assert!(html.contains("Order D"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_holds_the_bundle_and_is_verified_like_it() {
    let audited = Audited::sealed().await;
    let page = audited.file("page.html");
    let export = ["export", "A", "--format", "html", "--out", &page, "--event-store", &audited.world.log];
    ends(&audit(&export), 0);
    let public = audited.file("key.pub");
    let verify = |file: &str| audit(&["verify", "--bundle", file, "--public-key", &public]);
    let reported = ends(&verify(&page), 0);
    assert!(reported.contains("seal: number 0"), "{reported}");
    let text = read_to_string(&page).unwrap();
    let (shown, bundle) = text.split_once("id=\"bundle\"").unwrap();
    let changed = format!("{shown}id=\"bundle\"{}", bundle.replacen("\"OrderPlaced\"", "\"OrderPaused\"", 1));
    assert_ne!(changed, text);
    let tampered = audited.file("tampered.html");
    write(&tampered, changed).unwrap();
    let reported = ends(&verify(&tampered), 1);
    assert!(reported.contains("order A, revision 0"), "{reported}");
}
