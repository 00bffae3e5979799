use std::fs::write;

use super::*;
use crate::process::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_verifies_lists_seals_and_exports_like_the_commands() {
    let audited = Audited::sealed().await;
    let (status, report) = audited.world.get("/audit/orders/A").await;
    assert_eq!((status, &report["clean"]), (200, &json!(true)), "{report}");
    assert!(report["lookedAt"][0].as_str().unwrap().contains("events of order A"), "{report}");
    for (path, expected) in [
        ("/audit/orders/none", 404),
        ("/audit/orders/a%20b", 404),
        ("/audit/orders/none/export", 404),
        ("/audit/orders/A/export?format=pdf", 400),
    ] {
        assert_eq!(audited.world.get(path).await.0, expected, "{path}");
    }

    let (_, seals) = audited.world.get("/audit/seals").await;
    assert_eq!((&seals["seals"][0]["number"], &seals["seals"][0]["orders"]), (&json!(0), &json!(5)), "{seals}");
    assert_eq!(seals["findings"], json!([]));

    for (format, media_type) in [("html", "text/html; charset=utf-8"), ("bundle", "application/json")] {
        let url = format!("{}/audit/orders/A/export?format={format}", audited.world.base);
        let answer = audited.world.http.get(url).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], media_type);
        let disposition = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(disposition.starts_with("attachment; filename=\"order-A."), "{disposition}");
        let file = audited.file(&format!("exported.{format}"));
        write(&file, answer.text().await.unwrap()).unwrap();
        let reported = ends(&audit(&["verify", "--bundle", &file, "--public-key", &audited.file("key.pub")]), 0);
        assert!(reported.contains("seal: number 0"), "{reported}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_verifies_everything_and_shows_its_progress_and_its_report() {
    let audited = Audited::sealed().await;
    assert_eq!(audited.world.get("/audit/verification").await, (200, json!({ "state": "none" })));
    let (status, begun) = audited.world.post("/audit/verification", &json!(null)).await;
    assert_eq!(status, 202, "{begun}");
    until("it is verified", async || audited.world.get("/audit/verification").await.1["state"] == "done").await;
    let (_, done) = audited.world.get("/audit/verification").await;
    assert_eq!(done["report"]["clean"], true, "{done}");
    assert!(done["report"]["lookedAt"].to_string().contains("views: 5 orders"), "{done}");
}
