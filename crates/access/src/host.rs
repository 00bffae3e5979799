//! The name under which a client reaches this server.

use std::net::IpAddr;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Uri};

use crate::Refusal;

/// A host with its port, in lower case and without the dot of a fully qualified name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// A name, or an address without brackets.
    pub name: String,
    /// `None`: the default port of the scheme.
    pub port: Option<u16>,
}

impl Host {
    /// Reads `name`, `name:port`, `1.2.3.4:port` or `[::1]:port`. User information is refused: no
    /// client sends it here.
    pub fn parse(text: &str) -> Option<Self> {
        let authority: Authority = text.parse().ok()?;
        if authority.as_str().contains('@') {
            return None;
        }
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let has_port = authority.as_str().len() > authority.host().len();
        let port = authority.port_u16();
        (!name.is_empty() && has_port == port.is_some()).then_some(Self { name, port })
    }

    /// The host that a request names: in its target, and else in its only `Host` header (RFC 9112,
    /// section 3.2.2).
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut hosts = headers.get_all(HOST).iter();
        let named = match (uri.authority(), hosts.next(), hosts.next()) {
            (_, _, Some(_)) => return Err(Refusal::SeveralHosts),
            (Some(authority), _, None) => authority.as_str(),
            (None, Some(host), None) => host.to_str().map_err(|_| Refusal::unknown_host(host.as_bytes()))?,
            (None, None, None) => return Err(Refusal::NoHost),
        };
        Self::parse(named).ok_or_else(|| Refusal::unknown_host(named.as_bytes()))
    }

    /// The address, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.name.parse().ok()
    }

    /// Whether it reaches this machine alone: a loopback address, `localhost`, or a name below it
    /// (RFC 6761, section 6.3).
    pub fn is_loopback(&self) -> bool {
        match self.address() {
            Some(address) => is_loopback(address),
            None => self.name == "localhost" || self.name.ends_with(".localhost"),
        }
    }
}

/// Whether an address reaches this machine alone, also as an IPv4 address within IPv6.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn named(uri: &str, hosts: &[&'static str]) -> Result<Host, Refusal> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_static(host));
        }
        Host::of(&uri.parse().unwrap(), &headers)
    }

    fn host(name: &str, port: Option<u16>) -> Host {
        Host { name: name.to_owned(), port }
    }

    #[test]
    fn a_host_is_read_from_its_header_or_from_the_target() {
        for (text, expected) in [
            ("localhost:7007", host("localhost", Some(7007))),
            ("LocalHost.", host("localhost", None)),
            ("127.0.0.1", host("127.0.0.1", None)),
            ("[::1]:80", host("::1", Some(80))),
        ] {
            assert_eq!(named("/orders", &[text]), Ok(expected), "{text}");
        }
        assert_eq!(named("http://shop.example/orders", &["localhost"]), Ok(host("shop.example", None)));
    }

    #[test]
    fn a_host_that_is_missing_repeated_or_malformed_is_refused() {
        assert_eq!(named("/", &[]), Err(Refusal::NoHost));
        assert_eq!(named("/", &["localhost", "localhost"]), Err(Refusal::SeveralHosts));
        for text in ["", "a b", "user@localhost", "localhost:99999", "localhost:", "localhost:x", "http://localhost"] {
            assert!(matches!(named("/", &[text]), Err(Refusal::UnknownHost(_))), "{text}");
        }
    }

    #[test]
    fn only_loopback_addresses_and_names_below_localhost_are_loopback() {
        for text in ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]:1"] {
            assert!(Host::parse(text).unwrap().is_loopback(), "{text}");
        }
        for text in
            ["localhost.example", "notlocalhost", "127.0.0.1.example", "10.0.0.1", "0.0.0.0", "[::]", "2130706433"]
        {
            assert!(!Host::parse(text).unwrap().is_loopback(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in ".{0,40}") {
            if let Some(host) = Host::parse(&text) {
                prop_assert!(!host.name.is_empty() && host.name == host.name.to_ascii_lowercase());
            }
        }
    }
}
