//! A check that saw nothing does not report that all is well: it ends with 2, and reports that it
//! saw nothing.

use std::path::{Path, PathBuf};

use crate::parts::Parts;
use crate::process::{self, output_text};

/// Writes a file with this text into a folder.
fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// A golden bundle without its events.
fn empty_bundle() -> String {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/domain/golden/proof/bundle.v1.json");
    let mut bundle: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(golden).unwrap()).unwrap();
    bundle["events"] = serde_json::json!([]);
    bundle.to_string()
}

const NEVER_BEGUN: &str = "workflow: w\nversion: 1\nparticipants: { p: { url: 'http://p' } }\n\
                           steps: { a: { call: p.a, when: \"order.currency == 'XXX'\" } }\n";

/// Every command that checks something belongs in this list.
#[tokio::test(flavor = "multi_thread")]
async fn every_check_that_had_nothing_to_check_ends_with_2_and_reports_it() {
    let parts = Parts::new().await;
    let tenuto = |arguments: &[&str]| process::tenuto(parts.postgres(), &parts.log, arguments);
    let folder = tempfile::tempdir().unwrap();
    let within = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let workflow = file(folder.path(), "never.yaml", NEVER_BEGUN);
    let bundle = file(folder.path(), "bundle.json", &empty_bundle());
    let (workflow, bundle) = (workflow.to_str().unwrap(), bundle.to_str().unwrap());
    let (key, export, data) = (within("seal.key"), within("keys"), within("no-log"));
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/order-fulfilment.yaml");
    std::fs::create_dir(&data).unwrap();
    assert!(tenuto(&["audit", "keygen", &key]).status.success());
    let cases: [(&[&str], &str); 9] = [
        (&["audit", "verify", "--all"], "nothing was verified"),
        (&["audit", "verify", "no-such-order"], "the log has no order"),
        (&["audit", "verify", "--bundle", bundle], "nothing was verified"),
        (&["audit", "seal", "--key", &key], "nothing to seal"),
        (&["rebuild", "--check"], "nothing was compared"),
        (&["backtest", "--workflow", shipped], "nothing was tried"),
        (&["workflow", "test", workflow], "nothing was tested"),
        (&["event-store", "check", "--data", &data], "there is no log"),
        (&["keys", "export", "--to", &export], "nothing was exported"),
    ];
    for (arguments, said) in cases {
        let output = tenuto(arguments);
        let reported = output_text(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {reported}");
        assert!(reported.contains(said), "{arguments:?}: {reported}");
    }
}
