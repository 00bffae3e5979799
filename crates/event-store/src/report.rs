//! What a server reports about itself, for a person who checks a set-up.

use chrono::{DateTime, TimeDelta, Utc};
use event_store_protocol::gossip::MemberInfo;
use tonic::Code;

use super::connection::in_time;
use super::convert;
use super::error::ReadError;
use super::fault::{self, Fault};
use super::link::Link;
use super::store::EventStore;

/// What a server reports about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerReport {
    /// Host and port of the node that the connection leads to.
    pub node: String,
    /// Its version, if it reports one.
    pub version: Option<String>,
    /// The states of the nodes that are alive, such as "leader". Empty: the user may not read them.
    pub members: Vec<String>,
    /// The number of nodes that do not answer the others.
    pub silent: usize,
    /// How far the server's clock is ahead of this machine's, to the second. `None`: it reports no
    /// time.
    pub clock_ahead: Option<TimeDelta>,
}

impl EventStore {
    /// Connects, and reads what the server reports about itself and the end of the log. Unlike a
    /// read, this is tried only once, so that the caller has the reason at once.
    pub async fn report(&self) -> Result<ServerReport, ReadError> {
        let report = async {
            let link = self.connection.link().await?;
            let report = report(&link).await.inspect_err(|fault| self.connection.observe(&link, fault))?;
            convert::collect(link.read(convert::read_all_backwards(1)).await?).await?;
            Ok(report)
        };
        in_time(report).await.map_err(|fault| fault::read_error("$all", fault))
    }
}

async fn report(link: &Link) -> Result<ServerReport, Fault> {
    let (version, clock_ahead) = match link.features().await {
        Ok(answer) => {
            let date = answer.metadata().get("date").and_then(|date| date.to_str().ok());
            let ahead = date.and_then(|date| ahead(date, Utc::now()));
            (Some(answer.into_inner().event_store_server_version), ahead)
        }
        // An older server does not report its features.
        Err(Fault::Answer(Code::Unimplemented | Code::NotFound, _)) => (None, None),
        Err(fault) => return Err(fault),
    };
    let members = match link.members().await {
        Ok(members) => members,
        Err(Fault::Denied(_) | Fault::Answer(Code::Unimplemented | Code::NotFound, _)) => Vec::new(),
        Err(fault) => return Err(fault),
    };
    let (alive, silent): (Vec<_>, Vec<_>) = members.iter().partition(|member| member.is_alive);
    let version = version.filter(|version| !version.is_empty());
    let members = alive.into_iter().map(state).collect();
    Ok(ServerReport { node: link.node.to_string(), version, members, silent: silent.len(), clock_ahead })
}

/// Such as "leader" or "read only replica".
fn state(member: &MemberInfo) -> String {
    let mut words = String::new();
    for letter in member.state().as_str_name().chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// How far a server's time, which HTTP gives in whole seconds, is ahead of this time.
fn ahead(date: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
    let date = DateTime::parse_from_rfc2822(date).ok()?.to_utc();
    let whole = |time: DateTime<Utc>| time.timestamp();
    TimeDelta::try_seconds(whole(date) - whole(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_are_compared_in_whole_seconds() {
        let now: DateTime<Utc> = "2026-11-30T15:49:10.9Z".parse().unwrap();
        for (date, seconds) in [
            ("Mon, 30 Nov 2026 15:49:10 GMT", Some(0)),
            ("Mon, 30 Nov 2026 15:54:10 GMT", Some(300)),
            ("Mon, 30 Nov 2026 15:48:10 GMT", Some(-60)),
            ("soon", None),
        ] {
            assert_eq!(ahead(date, now).map(|ahead| ahead.num_seconds()), seconds, "{date}");
        }
    }
}
