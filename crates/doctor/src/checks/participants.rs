//! The participants of the workflow files: their addresses are known, and their servers answer. No
//! step is requested.

use std::collections::BTreeMap;

use command_handler::Settings;
use domain::workflow::address::AddressFault;
use domain::workflow::{Participant, Workflow};
use futures::future::join_all;
use http_client::{Destinations, ParticipantTls, no_answer};
use reqwest::{Client, Url};

use super::certificates::FOR_PARTICIPANTS;
use crate::finding::Finding;
use crate::role::Calls;
use crate::surroundings::Surroundings;

pub async fn check(calls: &Calls, surroundings: &Surroundings) -> Vec<Finding> {
    const ABOUT: &str = "workflow files";
    let destinations = Destinations::new(calls.hosts.clone());
    let (settings, tls) = match (Settings::in_environment(destinations.clone()), calls.files.load()) {
        (Ok(settings), Ok(tls)) => (settings, tls),
        (Err(error), _) => return vec![Finding::fault("settings of participants", error)],
        (_, Err(error)) => return vec![Finding::fault(FOR_PARTICIPANTS, error)],
    };
    let files = match (surroundings.workflows)(calls.workflows.as_deref()) {
        Ok(files) => files,
        Err(error) => {
            let told = format!("{error}; give a folder that can be read, with --workflows or TENUTO_WORKFLOWS");
            return vec![Finding::fault(ABOUT, told)];
        }
    };
    let mut findings = Vec::new();
    let mut servers = BTreeMap::new();
    for (from, text) in &files {
        let workflow = match Workflow::parse(text) {
            Ok(workflow) => workflow,
            Err(faults) => {
                findings.push(Finding::fault(ABOUT, format!("{from}: {faults}")));
                continue;
            }
        };
        // They need not be used, and `tenuto dev` has their participants.
        let is_optional = *from == surroundings.shipped_from;
        for (name, participant) in &workflow.participants {
            let Participant::Http { url } = participant else { continue };
            match settings.resolve(url) {
                Ok(url) => drop(servers.insert(url, name.clone())),
                Err(AddressFault::Missing(_)) if is_optional => {}
                Err(fault) => {
                    let about = format!("participant {name}");
                    findings.push(Finding::fault(about, format!("{fault} (workflow {})", workflow.name)));
                }
            }
        }
    }
    let answers = servers.iter().map(|(url, name)| answers(name, url, &destinations, &tls));
    findings.extend(join_all(answers).await);
    findings
}

/// Whether a server answers: any answer to a HEAD request is one.
async fn answers(name: &str, url: &Url, destinations: &Destinations, tls: &ParticipantTls) -> Finding {
    let about = format!("participant {name}");
    let client = match client(url, destinations, tls) {
        Ok(client) => client,
        Err(error) => return Finding::fault(about, error),
    };
    match client.head(url.clone()).send().await {
        Ok(_) => Finding::ok(about, format!("{} answers", place(url))),
        Err(error) => Finding::fault(about, no_answer(&error)),
    }
}

/// As a command handler calls it.
fn client(url: &Url, destinations: &Destinations, tls: &ParticipantTls) -> reqwest::Result<Client> {
    let named = url.port_or_known_default().filter(|port| destinations.ports().contains(port));
    tls.of(destinations.client_builder(named)?).build()
}

/// Host and port. The rest of the URL may hold a password.
fn place(url: &Url) -> String {
    let port = url.port_or_known_default().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}{port}", url.host_str().unwrap_or_default())
}
