//! One rule of the configuration: hosts that requests may go to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use url::Host;

/// Hosts that requests may go to, at every port or at one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    Name(String),
    /// The names below this one, and not the name itself.
    Below(String),
    Network(IpNet),
}

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{reason}; give a host name (pay.example), all names below one (*.pay.example), an address or a network \
     (10.0.0.0/8, fd00::/8), and ':' with a port if only that one is meant (pay.example:443, [fd00::/8]:443)"
)]
pub struct NotARule {
    reason: String,
}

impl NotARule {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl Rule {
    /// The one host and port of this URL; `None` if it has no host.
    pub fn of(url: &reqwest::Url) -> Option<Self> {
        let hosts = match url.host()? {
            Host::Domain(name) => Hosts::Name(without_dot(name)),
            Host::Ipv4(address) => Hosts::Network(IpAddr::from(address).into()),
            Host::Ipv6(address) => Hosts::Network(IpAddr::from(address).to_canonical().into()),
        };
        Some(Self { hosts, port: url.port_or_known_default() })
    }

    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    pub(super) fn is_for(&self, port: Option<u16>) -> bool {
        self.port.is_none() || self.port == port
    }

    pub(super) fn is_network(&self) -> bool {
        matches!(self.hosts, Hosts::Network(_))
    }

    /// Whether it names this host, as a URL has it: in lower case, and in Punycode.
    pub(super) fn names(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        match &self.hosts {
            Hosts::Name(name) => name == host,
            Hosts::Below(parent) => host
                .strip_suffix(parent)
                .and_then(|below| below.strip_suffix('.'))
                .is_some_and(|below| !below.is_empty()),
            Hosts::Network(_) => false,
        }
    }

    /// Whether it is a network with this address.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        matches!(&self.hosts, Hosts::Network(network) if network.contains(&address.to_canonical()))
    }

    /// Whether it is a network within this one.
    pub(super) fn is_within(&self, outer: IpNet) -> bool {
        matches!(&self.hosts, Hosts::Network(network) if outer.contains(network))
    }
}

impl FromStr for Rule {
    type Err = NotARule;

    fn from_str(text: &str) -> Result<Self, NotARule> {
        let (hosts, port) = split(text.trim())?;
        let port = port.map(|port| {
            let port = port.parse().ok().filter(|port| *port > 0);
            port.ok_or_else(|| NotARule::new("a port is a number from 1 to 65535"))
        });
        Ok(Self { hosts: parse_hosts(hosts)?, port: port.transpose()? })
    }
}

/// The hosts and the port. An IPv6 address with a port is in brackets.
fn split(text: &str) -> Result<(&str, Option<&str>), NotARule> {
    if let Some(rest) = text.strip_prefix('[') {
        let (hosts, rest) = rest.split_once(']').ok_or_else(|| NotARule::new("a '[' has no ']'"))?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((hosts, Some(port))),
            None if rest.is_empty() => Ok((hosts, None)),
            None => Err(NotARule::new("after ']' only ':' and a port may follow")),
        };
    }
    match text.split_once(':') {
        Some((hosts, port)) if !port.contains(':') => Ok((hosts, Some(port))),
        _ => Ok((text, None)),
    }
}

fn parse_hosts(text: &str) -> Result<Hosts, NotARule> {
    if text.contains('/') {
        let network: IpNet = text.parse().map_err(|_| NotARule::new(format!("{text:?} is no network")))?;
        if network.trunc() != network {
            let reason = format!("{text} is an address with the length of a network, which is {}", network.trunc());
            return Err(NotARule::new(reason));
        }
        return Ok(Hosts::Network(canonical(network)));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Hosts::Network(address.to_canonical().into()));
    }
    let (is_parent, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
    match Host::parse(name) {
        Ok(Host::Domain(name)) if !name.contains('*') && !without_dot(&name).split('.').any(str::is_empty) => {
            let name = without_dot(&name);
            Ok(if is_parent { Hosts::Below(name) } else { Hosts::Name(name) })
        }
        // A URL reads 0x7f.1 as 127.0.0.1 too.
        Ok(Host::Ipv4(address)) if !is_parent => Ok(Hosts::Network(IpAddr::from(address).into())),
        _ => Err(NotARule::new(format!("{name:?} is no host name"))),
    }
}

/// A network of IPv4 addresses within IPv6 as a network of IPv4: addresses are compared so.
fn canonical(network: IpNet) -> IpNet {
    let (address, length) = (network.addr().to_canonical(), network.prefix_len());
    let canonical = length.checked_sub(96).filter(|_| address.is_ipv4() && matches!(network, IpNet::V6(_)));
    canonical.and_then(|length| IpNet::new(address, length).ok()).unwrap_or(network)
}

fn without_dot(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_owned()
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = match &self.hosts {
            Hosts::Name(name) => name.clone(),
            Hosts::Below(parent) => format!("*.{parent}"),
            Hosts::Network(network) if network.prefix_len() == network.max_prefix_len() => network.addr().to_string(),
            Hosts::Network(network) => network.to_string(),
        };
        match self.port {
            Some(port) if hosts.contains(':') => write!(f, "[{hosts}]:{port}"),
            Some(port) => write!(f, "{hosts}:{port}"),
            None => f.write_str(&hosts),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(text: &str) -> Rule {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_rule_is_a_name_the_names_below_one_or_a_network() {
        for (text, shown) in [
            ("pay.example", "pay.example"),
            (" Pay.Example. ", "pay.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("pay.example:443", "pay.example:443"),
            ("*.internal", "*.internal"),
            ("*.internal:8080", "*.internal:8080"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.0/8:443", "10.0.0.0/8:443"),
            ("10.1.2.3", "10.1.2.3"),
            ("0x7f.1", "127.0.0.1"),
            ("fd00::/8", "fd00::/8"),
            ("::1", "::1"),
            ("[::1]:80", "[::1]:80"),
            ("[fd00::/8]:443", "[fd00::/8]:443"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ] {
            assert_eq!(rule(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_rule_is_refused_with_what_is_allowed() {
        for text in [
            "",
            "*",
            "*.",
            "a.*.example",
            "http://pay.example",
            "pay.example/x",
            "pay.example:0",
            "pay.example:x",
            "pay.example:",
            "u@pay.example",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "fd00::1/8",
            "[::1",
            "[::1]x",
            "*.10.0.0.1",
            "a b",
            ".",
            "10.0.0.0-10.0.0.9",
        ] {
            let error = text.parse::<Rule>().err().unwrap_or_else(|| panic!("{text:?} is accepted")).to_string();
            assert!(error.contains("pay.example:443") && error.contains("10.0.0.0/8"), "{text}: {error}");
        }
    }

    #[test]
    fn a_name_is_compared_as_a_whole() {
        let (exact, below) = (rule("pay.example"), rule("*.pay.example"));
        for (host, is_exact, is_below) in [
            ("pay.example", true, false),
            ("pay.example.", true, false),
            ("a.pay.example", false, true),
            ("a.b.pay.example.", false, true),
            ("evilpay.example", false, false),
            (".pay.example", false, false),
            ("pay.example.evil", false, false),
        ] {
            assert_eq!((exact.names(host), below.names(host)), (is_exact, is_below), "{host}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_rule_that_is_shown_as_it_is_read_or_an_error(text in "\\PC{0,24}|[0-9a-f:./\\[\\]*]{0,24}") {
            if let Ok(rule) = text.parse::<Rule>() {
                prop_assert_eq!(rule.to_string().parse::<Rule>(), Ok(rule));
            }
        }
    }
}
