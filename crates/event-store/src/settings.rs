//! The connection string, in the form that every client of this server reads.
//!
//! `SCHEME://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][?OPTION=VALUE&…]`. The schemes with both
//! names of the server are accepted. The case of an option's name does not matter: clients in other
//! languages document `Tls=`.

use std::fmt;
use std::time::Duration;

use super::error::ConnectError;

const SCHEMES: [&str; 6] = ["esdb", "esdb+discover", "kurrentdb", "kurrentdb+discover", "kdb", "kdb+discover"];
const OPTIONS: &str = "tls, tlsVerifyCert, tlsCAFile, userCertFile, userKeyFile, nodePreference, keepAliveInterval, \
     keepAliveTimeout, gossipTimeout, discoveryInterval, maxDiscoverAttempts, defaultDeadline, connectionName, \
     throwOnAppendFailure";
const DEFAULT_PORT: u16 = 2113;
/// With [`KEEP_ALIVE_TIMEOUT`], a silent server is left after five seconds. The cluster's own limit
/// is shorter, so it has another leader by then.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_millis(2500);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_millis(2500);
const GOSSIP_TIMEOUT: Duration = Duration::from_secs(2);

/// A node's host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// The kind of node to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodePreference {
    Leader,
    Follower,
    ReadOnlyReplica,
    Random,
}

/// A user and the password. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The settings of a connection string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) hosts: Vec<Endpoint>,
    /// The one host is a name for all nodes of a cluster.
    pub(super) discover: bool,
    pub(super) credentials: Option<Credentials>,
    pub(super) tls: bool,
    pub(super) verify_certificate: bool,
    pub(super) ca_file: Option<String>,
    pub(super) user_certificate: Option<(String, String)>,
    pub(super) preference: NodePreference,
    /// `None`: no keep-alive pings are sent.
    pub(super) keep_alive_interval: Option<Duration>,
    pub(super) keep_alive_timeout: Duration,
    /// How long a node may take to accept a connection and to give its first answer.
    pub(super) gossip_timeout: Duration,
    /// How long the server may take for an append.
    pub(super) deadline: Option<Duration>,
    pub(super) connection_name: Option<String>,
}

impl Settings {
    /// Whether the client has to ask the nodes which of them to use.
    pub(super) fn is_cluster(&self) -> bool {
        self.discover || self.hosts.len() > 1
    }

    /// The hosts, in readable form.
    pub(super) fn names(&self) -> String {
        self.hosts.iter().map(Endpoint::to_string).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn parse(text: &str) -> Result<Self, ConnectError> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| {
            wrong("it has no scheme; write esdb://HOST:PORT?tls=false, or kurrentdb://…, kurrentdb+discover://…")
        })?;
        let scheme = scheme.to_ascii_lowercase();
        if !SCHEMES.contains(&scheme.as_str()) {
            return Err(wrong(format!("the scheme {scheme} is unknown; the schemes are {}", SCHEMES.join(", "))));
        }
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let address = address.trim_end_matches('/');
        if address.contains('/') {
            return Err(wrong("it has a path; only ?OPTION=VALUE may follow the hosts"));
        }
        // A password may contain an unescaped @. A host never does.
        let (credentials, hosts) = match address.rsplit_once('@') {
            Some((credentials, hosts)) => (Some(self::credentials(credentials)?), hosts),
            None => (None, address),
        };
        let hosts = hosts.split(',').map(endpoint).collect::<Result<Vec<_>, _>>()?;
        let mut settings = Self {
            hosts,
            discover: scheme.ends_with("+discover"),
            credentials,
            tls: true,
            verify_certificate: true,
            ca_file: None,
            user_certificate: None,
            preference: NodePreference::Leader,
            keep_alive_interval: Some(KEEP_ALIVE_INTERVAL),
            keep_alive_timeout: KEEP_ALIVE_TIMEOUT,
            gossip_timeout: GOSSIP_TIMEOUT,
            deadline: None,
            connection_name: None,
        };
        settings.take_options(query)?;
        Ok(settings)
    }

    fn take_options(&mut self, query: &str) -> Result<(), ConnectError> {
        let (mut certificate, mut key) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            match name.to_ascii_lowercase().as_str() {
                "tls" => self.tls = yes_or_no(&name, &value)?,
                "tlsverifycert" => self.verify_certificate = yes_or_no(&name, &value)?,
                "tlscafile" => self.ca_file = Some(value),
                "usercertfile" => certificate = Some(value),
                "userkeyfile" => key = Some(value),
                "nodepreference" => self.preference = preference(&value)?,
                "keepaliveinterval" => self.keep_alive_interval = milliseconds(&name, &value)?,
                // Without a limit, an interval would have no effect, so the longest limit is used
                // for "none".
                "keepalivetimeout" => {
                    self.keep_alive_timeout = milliseconds(&name, &value)?.unwrap_or(Duration::from_hours(24));
                }
                "gossiptimeout" => self.gossip_timeout = milliseconds(&name, &value)?.unwrap_or(GOSSIP_TIMEOUT),
                "defaultdeadline" => self.deadline = milliseconds(&name, &value)?,
                "connectionname" => self.connection_name = Some(header_value(&name, value)?),
                // Other clients bound their attempts. This one tries for as long as a caller waits.
                "discoveryinterval" | "maxdiscoverattempts" => drop(milliseconds(&name, &value)?),
                // Other clients may hide a refused append from the caller. This one always reports
                // it.
                "throwonappendfailure" => drop(yes_or_no(&name, &value)?),
                _ => return Err(wrong(format!("the option {name} is unknown; the options are {OPTIONS}"))),
            }
        }
        self.user_certificate = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(wrong("userCertFile and userKeyFile go together; one of them is missing")),
        };
        if !self.tls && (self.ca_file.is_some() || self.user_certificate.is_some()) {
            return Err(wrong(
                "it names certificates, and tls=false says that none are used; remove the one or the other",
            ));
        }
        Ok(())
    }
}

fn wrong(detail: impl Into<String>) -> ConnectError {
    ConnectError(detail.into())
}

fn credentials(text: &str) -> Result<Credentials, ConnectError> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    if user.is_empty() {
        return Err(wrong("the user before the @ has no name; write USER:PASSWORD@HOST"));
    }
    Ok(Credentials { user: decoded(user)?, password: decoded(password)? })
}

fn endpoint(text: &str) -> Result<Endpoint, ConnectError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) =
                rest.split_once(']').ok_or_else(|| wrong(format!("the host {text} has no closing bracket")))?;
            (host, port.strip_prefix(':'))
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    // Other characters cannot be part of an HTTP address.
    let is_host_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() || !host.chars().all(is_host_part) {
        return Err(wrong(format!("'{text}' is not a host; write HOST:PORT, and a comma between hosts")));
    }
    let port = port.map_or(Ok(DEFAULT_PORT), |port| {
        // What is longer may be a password, of a string without its '@'.
        let shown = if port.len() <= "65535".len() { format!("port '{port}'") } else { "port".to_owned() };
        port.parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| wrong(format!("the {shown} of the host {host} is not a number from 1 to 65535")))
    })?;
    Ok(Endpoint { host: host.to_owned(), port })
}

fn yes_or_no(name: &str, value: &str) -> Result<bool, ConnectError> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong(format!("{name}={value}: allowed are true and false"))),
    }
}

/// Other clients accept -1 for "never".
fn milliseconds(name: &str, value: &str) -> Result<Option<Duration>, ConnectError> {
    match value.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(number) if number > 0 && number < i64::from(i32::MAX) => {
            Ok(Some(Duration::from_millis(number.unsigned_abs())))
        }
        _ => Err(wrong(format!("{name}={value}: allowed is a whole number above 0, or -1 for none"))),
    }
}

fn preference(value: &str) -> Result<NodePreference, ConnectError> {
    match value.to_ascii_lowercase().as_str() {
        "leader" => Ok(NodePreference::Leader),
        "follower" => Ok(NodePreference::Follower),
        "readonlyreplica" => Ok(NodePreference::ReadOnlyReplica),
        "random" => Ok(NodePreference::Random),
        _ => Err(wrong(format!("nodePreference={value}: allowed are leader, follower, readOnlyReplica and random"))),
    }
}

fn header_value(name: &str, value: String) -> Result<String, ConnectError> {
    match http::HeaderValue::from_str(&value) {
        Ok(header) if header.to_str().is_ok() => Ok(value),
        _ => Err(wrong(format!("{name}={value}: only printable ASCII is allowed"))),
    }
}

fn decoded(text: &str) -> Result<String, ConnectError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).map_err(|_| wrong("a %-escape in it does not give UTF-8"))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Settings {
        Settings::parse(text).unwrap()
    }

    fn refused(text: &str) -> String {
        Settings::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn both_names_of_the_server_and_its_short_one_are_accepted() {
        for scheme in SCHEMES {
            let settings = parsed(&format!("{scheme}://db"));
            assert_eq!(settings.hosts, [Endpoint { host: "db".into(), port: 2113 }]);
            assert_eq!(settings.discover, scheme.contains("discover"), "{scheme}");
            assert!(settings.tls, "{scheme}");
        }
        assert!(parsed("KurrentDB+Discover://db").discover);
    }

    #[test]
    fn the_case_of_an_options_name_does_not_matter() {
        for tls in ["tls=false", "Tls=False", "TLS=FALSE"] {
            assert!(!parsed(&format!("esdb://a:1?{tls}")).tls, "{tls}");
        }
        let settings =
            parsed("kdb://a?KeepAliveInterval=-1&keepAliveTimeout=900&NodePreference=Follower&ConnectionName=x");
        assert_eq!(settings.keep_alive_interval, None);
        assert_eq!(settings.keep_alive_timeout, Duration::from_millis(900));
        assert_eq!(settings.preference, NodePreference::Follower);
        assert_eq!(settings.connection_name.as_deref(), Some("x"));
    }

    #[test]
    fn a_cluster_has_several_hosts_or_one_name_for_all() {
        let settings = parsed("esdb://user:p%40ss@a:1,b,[::1]:3/?tls=false");
        assert_eq!(settings.names(), "a:1, b:2113, [::1]:3");
        assert!(settings.is_cluster());
        assert_eq!(settings.credentials, Some(Credentials { user: "user".into(), password: "p@ss".into() }));
        assert!(parsed("esdb+discover://a").is_cluster());
        assert!(!parsed("esdb://a").is_cluster());
    }

    #[test]
    fn a_frozen_server_is_left_within_eight_seconds_unless_the_connection_string_sets_another_limit() {
        let settings = parsed("esdb://a");
        let noticed = settings.keep_alive_interval.unwrap() + settings.keep_alive_timeout;
        assert!(noticed + settings.gossip_timeout < Duration::from_secs(8));
    }

    #[test]
    fn an_error_names_the_fault_and_what_is_allowed() {
        for (text, parts) in [
            ("nonsense", &["no scheme", "esdb://"][..]),
            ("http://a", &["http", "kurrentdb"]),
            ("esdb://", &["is not a host"]),
            ("esdb://a:b", &["port 'b'", "65535"]),
            ("esdb://a:0", &["port '0'"]),
            ("esdb://a:b:c", &["port"]),
            ("esdb://a/b", &["path"]),
            ("esdb://a b", &["is not a host"]),
            ("esdb://a?tsl=false", &["option tsl", "tlsVerifyCert"]),
            ("esdb://a?tls=maybe", &["tls=maybe", "true and false"]),
            ("esdb://a?keepAliveInterval=soon", &["keepAliveInterval=soon", "whole number"]),
            ("esdb://a?nodePreference=any", &["nodePreference=any", "readOnlyReplica"]),
            ("esdb://a?userCertFile=x", &["userKeyFile"]),
            ("esdb://a?tls=false&tlsCAFile=x", &["tls=false"]),
            ("esdb://:secret@a", &["USER:PASSWORD"]),
        ] {
            let error = refused(text);
            assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
        }
    }

    #[test]
    fn no_error_shows_a_password() {
        for text in ["esdb://user:hunter2@a:b", "esdb://user:hunter2@a?tsl=false", "http://user:hunter2@a"] {
            assert!(!refused(text).contains("hunter2"), "{text}");
        }
        assert!(!format!("{:?}", parsed("esdb://user:hunter2@a")).contains("hunter2"));
    }
}
