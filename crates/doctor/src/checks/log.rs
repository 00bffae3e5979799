//! The log: reached, with its version, its cluster, its clock and the rights of its user.

use std::net::IpAddr;

use bytes::Bytes;
use command_handler::streams;
use domain::stream_prefix;
use domain::wire::participants::REPLY_STREAM_PREFIX;
use event_store::{AppendError, EventStore, Expected, NewEvent, ServerReport};
use secrets::exposed;
use servers::stream_prefix::{PrefixError, adopt};
use servers::{NotNamed, may_append};
use uuid::Uuid;

use super::clock::clock;
use crate::finding::Finding;
use crate::role::Role;

const ABOUT: &str = "log";
/// The stream that `--write` appends to.
const PROBE_STREAM: &str = "tenuto-doctor";
/// Its metadata: it keeps one event, however often it is checked.
const PROBE_METADATA: (&str, &str) = ("$$tenuto-doctor", r#"{"$maxCount":1}"#);

/// A log, and what the roles need of it.
pub struct Server {
    url: Result<String, String>,
    /// Whether a command handler appends to it.
    takes_orders: bool,
    /// Whether a participant appends to it.
    takes_replies: bool,
    /// The prefix of orders' streams that a role is started with.
    prefix: Option<String>,
}

/// The logs that these roles use, each once.
pub fn servers(roles: &[Role]) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    for role in roles.iter().filter(|role| role.uses_log) {
        let Some(named) = &role.servers else { continue };
        let url = exposed(named.event_store.as_ref()).map(str::to_owned);
        if url.is_none() && role.embeds() {
            continue;
        }
        let url = url.ok_or_else(|| NotNamed::EVENT_STORE.to_string());
        let (takes_orders, takes_replies) = (role.calls.is_some(), role.embeds() || role.name == "participants");
        let prefix = named.stream_prefix.clone();
        match servers.iter_mut().find(|server| server.url == url && server.prefix == prefix) {
            Some(known) => {
                known.takes_orders |= takes_orders;
                known.takes_replies |= takes_replies;
            }
            None => servers.push(Server { url, takes_orders, takes_replies, prefix }),
        }
    }
    servers
}

impl Server {
    pub async fn check(self, write: bool) -> Vec<Finding> {
        let opened = self.url.clone().and_then(|url| EventStore::connect(&url).map_err(|error| error.to_string()));
        let store = match opened {
            Ok(store) => store,
            Err(error) => return vec![Finding::fault(ABOUT, error)],
        };
        let report = match store.report().await {
            Ok(report) => report,
            Err(error) => return vec![Finding::fault(ABOUT, error)],
        };
        let mut findings = vec![Finding::ok(ABOUT, described(&report))];
        findings.extend(of_cluster(&report));
        findings.extend(self.is_plain(&report.node).then(|| {
            let told = "the connection to another machine is without TLS: orders can be read on their way; enable TLS \
                        on the server, and remove tls=false from the connection string";
            Finding::warning("TLS of the log", told)
        }));
        findings.extend(report.clock_ahead.map(|ahead| clock("the log", ahead)));
        findings.push(self.rights(&store).await);
        if write {
            findings.push(written(&store).await);
        }
        findings
    }

    fn is_plain(&self, node: &str) -> bool {
        let host = node.rsplit_once(':').map_or(node, |(host, _)| host).trim_matches(['[', ']']);
        let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        !is_local && self.url.as_ref().is_ok_and(|url| url.to_lowercase().contains("tls=false"))
    }

    /// Whether the streams have the prefix that is given, and whether roles may append to them.
    async fn rights(&self, store: &EventStore) -> Finding {
        const ABOUT: &str = "rights on the log";
        if let Err(error) = adopt(store, None).await {
            return Finding::fault(ABOUT, error);
        }
        let kept = stream_prefix::get();
        if let Some(given) = self.prefix.as_ref().filter(|given| *given != kept) {
            let (given, kept) = (given.clone(), kept.to_owned());
            return match store.identity().await {
                // The first role that starts gives a new log its prefix.
                Ok(None) => Finding::ok(ABOUT, format!("a new log, which will keep the stream prefix {given:?}")),
                _ => Finding::fault(ABOUT, PrefixError::Other { given, kept }),
            };
        }
        let mut appends = Vec::new();
        if self.takes_orders {
            appends.extend(streams());
        }
        if self.takes_replies {
            appends.push(REPLY_STREAM_PREFIX);
        }
        let told = if appends.is_empty() { "it may be read" } else { "it may be read and appended to" };
        Finding::of(ABOUT, may_append(store, &appends).await.map(|()| told))
    }
}

/// Such as "version 25.0 at db1:2113".
fn described(report: &ServerReport) -> String {
    let version = report.version.as_ref().map_or("a server".to_owned(), |version| format!("version {version}"));
    format!("{version} at {}", report.node)
}

fn of_cluster(report: &ServerReport) -> Option<Finding> {
    const ABOUT: &str = "cluster of the log";
    let members = &report.members;
    let states = members.join(", ");
    match (members.iter().any(|state| state == "leader"), report.silent) {
        _ if members.is_empty() => None,
        (false, _) => {
            let told =
                format!("no node leads ({states}), so nothing can be appended; start enough nodes for a majority");
            Some(Finding::fault(ABOUT, told))
        }
        (true, 0) => Some(Finding::ok(ABOUT, states)),
        (true, silent) => {
            let told = format!("{silent} nodes do not answer the others ({states} do); start them again");
            Some(Finding::warning(ABOUT, told))
        }
    }
}

/// Appends an event, and reads it.
async fn written(store: &EventStore) -> Finding {
    const ABOUT: &str = "append to the log";
    let probe = |event_type: &str, data: &'static str| NewEvent {
        id: Uuid::now_v7(),
        event_type: event_type.to_owned(),
        data: Bytes::from_static(data.as_bytes()),
        metadata: Bytes::from_static(b"{}"),
    };
    let (metadata, text) = PROBE_METADATA;
    match store.append(metadata, Expected::NoStream, vec![probe("$metadata", text)]).await {
        Ok(_) | Err(AppendError::WrongExpectedRevision { .. }) => {}
        Err(error) => return Finding::fault(ABOUT, error),
    }
    let event = probe("DoctorProbed", "{}");
    let id = event.id;
    if let Err(error) = store.append(PROBE_STREAM, Expected::Any, vec![event]).await {
        return Finding::fault(ABOUT, error);
    }
    match store.read_stream_backwards(PROBE_STREAM, 1).await {
        Err(error) => Finding::fault(ABOUT, error),
        Ok(events) if events.iter().any(|event| event.id == id) => {
            Finding::ok(ABOUT, format!("an event was appended to {PROBE_STREAM}, and read"))
        }
        Ok(_) => {
            let told = format!(
                "the event that was appended to {PROBE_STREAM} is not at its end; check whether another client appends \
                 to it, or the server is behind"
            );
            Finding::warning(ABOUT, told)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    #[test]
    fn a_cluster_needs_a_leader_and_should_be_complete() {
        for (members, silent, level) in [
            (&["leader"][..], 0, Level::Ok),
            (&["leader", "follower"], 1, Level::Warning),
            (&["follower", "follower"], 1, Level::Fault),
        ] {
            let members = members.iter().map(ToString::to_string).collect();
            let report = ServerReport { node: "a:1".into(), version: None, members, silent, clock_ahead: None };
            assert_eq!(of_cluster(&report).unwrap().level, level, "{report:?}");
        }
    }

    #[test]
    fn only_a_connection_to_another_machine_needs_tls() {
        let server =
            |url: &str| Server { url: Ok(url.to_owned()), takes_orders: false, takes_replies: false, prefix: None };
        for (url, node, is_plain) in [
            ("esdb://db:1?TLS=False", "db:1", true),
            ("esdb://db:1", "db:1", false),
            ("esdb://[::1]:1?tls=false", "[::1]:1", false),
            ("esdb://localhost:1?tls=false", "localhost:1", false),
        ] {
            assert_eq!(server(url).is_plain(node), is_plain, "{url}");
        }
    }
}
