//! Probes: what each role answers on `/livez`, `/readyz` and `/metrics` while the log or Postgres
//! is down.

use std::time::{Duration, Instant};

use postgres_cluster::testing::OwnCluster;
use rustix::process::Signal;

use crate::parts::SERVICES;
use crate::process::{Address, Process, until};

/// A probe is answered within a second. A busy machine may take longer.
const SOON: Duration = Duration::from_secs(3);

/// Every long-running role that uses the log or Postgres belongs in this list: its arguments, and
/// the text that it prints before its address.
const ROLES: [(&[&str], &str); 4] = [
    (&["command-handler", "--listen", "127.0.0.1:0"], "commands at "),
    (&["projector", "--listen", "127.0.0.1:0"], "probes at "),
    (&["query-api", "--listen", "127.0.0.1:0"], "queries at "),
    (&["participants", "--by-events", "--listen", "127.0.0.1:0"], "notifications at "),
];

struct Role {
    name: &'static str,
    base: String,
    _process: Process,
}

impl Role {
    fn start(arguments: &[&'static str], before: &str, servers: &[(&str, &str)]) -> Self {
        let process = Process::start(arguments, servers);
        let reported = process.line_after(before);
        let base = reported.trim_end_matches("/orders").trim_end_matches("/graphql").trim_end_matches("/readyz");
        Self { name: arguments[0], base: base.to_owned(), _process: process }
    }

    /// Status and body of the answer to a probe, within [`SOON`].
    async fn probe(&self, path: &str) -> (u16, String) {
        let begun = Instant::now();
        let answer = reqwest::get(format!("{}{path}", self.base)).await.unwrap();
        let answered = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!(begun.elapsed() < SOON, "{} {path}: {:?}: {answered:?}", self.name, begun.elapsed());
        answered
    }

    async fn is_ready(&self) {
        until(&format!("{} is ready", self.name), async || self.probe("/readyz").await.0 == 200).await;
    }

    /// Waits until `/readyz` gives this as the reason why the role is not ready. Meanwhile `/livez`
    /// and `/metrics` answer.
    async fn says(&self, what: &str) {
        until(&format!("{} says: {what}", self.name), async || {
            let (status, reported) = self.probe("/readyz").await;
            status == 503 && reported.contains(what)
        })
        .await;
        assert_eq!(self.probe("/livez").await, (200, "alive\n".to_owned()), "{}", self.name);
        let (status, metrics) = self.probe("/metrics").await;
        assert!(status == 200 && metrics.contains("tenuto_build_info"), "{}: {metrics}", self.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_answers_its_probes_soon_and_names_what_it_waits_for() {
    let mut postgres = OwnCluster::start().await.unwrap();
    let (folder, at) = (tempfile::tempdir().unwrap(), Address::new());
    let data = folder.path().to_str().unwrap();
    let start_node = || {
        let node = Process::start(&["event-store", "--listen", at.as_str(), "--data", data], &[]);
        node.line_after("the log at ");
        node
    };
    let (node, log) = (start_node(), format!("esdb://{}?tls=false", at.as_str()));
    let url = postgres.url().to_owned();
    let mut servers = vec![("TENUTO_POSTGRES", url.as_str()), ("TENUTO_EVENTSTORE", log.as_str())];
    servers.extend(SERVICES);
    let roles = ROLES.map(|(arguments, before)| Role::start(arguments, before, &servers));
    for role in &roles {
        role.is_ready().await;
    }
    until("the projector says that it writes the views", async || {
        let metrics = roles[1].probe("/metrics").await.1;
        roles[1].probe("/readyz").await.1.contains("projector: active") && metrics.contains("tenuto_projector_active 1")
    })
    .await;

    // The participants serve HTTP without the log, so they stay ready.
    let (participants, of_the_log) = roles.split_last().unwrap();
    node.signal(Signal::STOP);
    for role in of_the_log {
        role.says("the log").await;
    }
    participants.is_ready().await;
    node.signal(Signal::CONT);
    for role in &roles {
        role.is_ready().await;
    }
    drop(node);
    for role in of_the_log {
        role.says("the log").await;
    }
    let _node = start_node();
    for role in &roles {
        role.is_ready().await;
    }
    postgres.stop().await;
    for role in &roles {
        role.says("Postgres").await;
    }
    postgres.start_again().await.unwrap();
    for role in &roles {
        role.is_ready().await;
    }
}
