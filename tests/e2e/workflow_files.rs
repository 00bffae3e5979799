//! Workflow files: registered, refused, checked.

use crate::process::binary;
use crate::world::World;

const MINIMAL: &str = "workflow: tiny\nversion: 1\nparticipants:\n  mail: { url: 'http://127.0.0.1:9' }\nsteps:\n  tell: { call: mail.send }\n";

#[tokio::test]
async fn a_registered_workflow_cannot_be_changed() {
    let world = World::new().await;
    let (status, registered) = world.try_register(MINIMAL).await;
    assert_eq!((status, world.try_register(MINIMAL).await), (201, (200, registered.clone())), "the same answer");
    let position = &registered["position"];
    let query = format!("{{ workflow(name: \"tiny\", freshness: {{position: {position}}}) {{ version }} }}");
    assert_eq!(world.query(&query).await["workflow"]["version"], 1);
    let in_other_words = format!("# The same.\r\n{}\r\n", MINIMAL.replace('\n', "\r\n"));
    assert_eq!(
        world.try_register(&in_other_words).await,
        (200, registered.clone()),
        "comments and line ends mean nothing"
    );
    let (status, problem) = world.try_register(&MINIMAL.replace("tell:", "say:")).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("steps.say is missing in the log"), "{problem}");
    assert_eq!(world.try_register(&MINIMAL.replace("version: 1", "version: 2")).await.0, 201);
    let (status, problem) = world.try_register(&MINIMAL.replace("mail.send", "post.send")).await;
    assert_eq!(status, 422);
    let places: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().filter_map(|e| e["pointer"].as_str()).collect();
    assert!(places.contains(&"line 6, column 17"), "{problem}");
    let (status, problem) = world.try_register(&MINIMAL.replace("http://127.0.0.1:9", "${MAIL_URL}")).await;
    assert_eq!((status, problem["errors"][0]["pointer"].as_str()), (422, Some("/participants/mail/url")), "{problem}");
}

#[test]
fn check_names_file_line_column_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good.yaml");
    let bad = folder.path().join("bad.yaml");
    std::fs::write(&good, MINIMAL).unwrap();
    std::fs::write(&bad, MINIMAL.replace("{ call: mail.send }", "{ call: mail.send, after: [tel] }")).unwrap();
    let skips = folder.path().join("skips.yaml");
    let guarded = "  ask: { when: order.shipTo != null, await: approval }\n  tell: { after: [ask], call: mail.send }";
    std::fs::write(&skips, MINIMAL.replace("  tell: { call: mail.send }", guarded)).unwrap();
    let output = binary().args(["workflow", "check"]).args([&good, &bad, &skips]).output().unwrap();
    let (reported, faults) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1));
    assert!(reported.contains("good.yaml: tiny version 1, 1 steps, no faults"), "{reported}");
    assert!(reported.contains("skips.yaml:7:3: note: steps.tell: is skipped where ask is skipped"), "{reported}");
    assert_eq!(reported.matches("note:").count(), 1, "{reported}");
    let place = format!("{}:6:36: steps.tell.after", bad.display());
    assert!(faults.contains(&place) && faults.contains("tel"), "{faults}");
}
