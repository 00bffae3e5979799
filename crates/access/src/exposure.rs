//! How far a listener is reached: by address, by name, and by web pages.

use std::net::SocketAddr;

use clap::Args;
use http::{HeaderMap, Method, Uri};

use crate::Refusal;
use crate::browser::{self, Origin};
use crate::host::{Host, is_loopback};

/// Options of a role that listens.
#[derive(Debug, Clone, Default, Args)]
pub struct Exposure {
    /// Listen on an address that other machines reach, although callers are not authenticated:
    /// each caller can do everything
    #[arg(long, env = "TENUTO_INSECURE_OPEN")]
    insecure_open: bool,
    /// Names under which clients reach this server, besides localhost and loopback addresses
    #[arg(
        long,
        env = "TENUTO_ALLOWED_HOSTS",
        value_name = "NAME,…",
        value_delimiter = ',',
        value_parser = parse_host,
        help_heading = live::RELOADED
    )]
    allowed_hosts: Vec<String>,
    /// Origins of web pages that may send requests, besides the pages of this server
    #[arg(
        long,
        env = "TENUTO_ALLOWED_ORIGINS",
        value_name = "https://NAME,…",
        value_delimiter = ',',
        value_parser = browser::parse_allowed,
        help_heading = live::RELOADED
    )]
    allowed_origins: Vec<Origin>,
}

/// A listener would be open to other machines.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is reached from other machines, and callers are not authenticated: each of them could read and change \
     every order; say who may do what with --access, listen on 127.0.0.1 or [::1], or accept that with \
     --insecure-open or TENUTO_INSECURE_OPEN=true"
)]
pub struct NotLoopback(SocketAddr);

impl Exposure {
    /// What a listener on this address lets in, if callers are not authenticated; an error where
    /// the address is not loopback, unless the configuration accepts that.
    pub fn permit(&self, address: SocketAddr) -> Result<Names, NotLoopback> {
        let is_exposed = !is_loopback(address.ip());
        if is_exposed && !self.insecure_open {
            return Err(NotLoopback(address));
        }
        let exposed = is_exposed.then_some(address);
        Ok(Names { hosts: Some(self.allowed_hosts.clone()), origins: self.allowed_origins.clone(), exposed })
    }

    /// What a listener lets in whose callers are authenticated. A page with a forged name has no
    /// credentials to send, so every name is this server's.
    pub fn authenticated(&self) -> Names {
        Names { hosts: None, origins: self.allowed_origins.clone(), exposed: None }
    }
}

/// The names of this server, and the web pages that may use it.
#[derive(Debug, Clone)]
pub struct Names {
    /// `None`: every name is this server's.
    hosts: Option<Vec<String>>,
    origins: Vec<Origin>,
    /// The address, if other machines reach it and callers are not authenticated.
    exposed: Option<SocketAddr>,
}

impl Names {
    /// What an operator has to know, if other machines reach the listener and callers are not
    /// authenticated.
    pub fn warning(&self) -> Option<String> {
        let address = self.exposed?;
        Some(format!("{address} is open: callers are not authenticated, and each of them can do everything"))
    }

    /// These, with the hosts and origins of other options. Who is let in stays.
    #[must_use]
    pub fn with(&self, exposure: &Exposure) -> Self {
        let hosts = self.hosts.as_ref().map(|_| exposure.allowed_hosts.clone());
        Self { hosts, origins: exposure.allowed_origins.clone(), exposed: self.exposed }
    }

    /// Refuses a request that names another server, or that a page of another origin sends.
    pub fn admit(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = Host::of(uri, headers)?;
        if !self.answers_for(&host) {
            return Err(Refusal::unknown_host(host.name.as_bytes()));
        }
        browser::check(method, headers, &host, &self.origins)
    }

    /// No page can have an address resolve to another, so every address is this server's where
    /// other machines reach it.
    fn answers_for(&self, host: &Host) -> bool {
        let Some(hosts) = &self.hosts else { return true };
        host.is_loopback() || hosts.contains(&host.name) || (self.exposed.is_some() && host.address().is_some())
    }
}

fn parse_host(text: &str) -> Result<String, String> {
    let host = Host::parse(text).filter(|host| host.port.is_none());
    host.map(|host| host.name).ok_or_else(|| "is not a host name without a port, like tenuto.internal".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use http::header::{HOST, HeaderValue};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        exposure: Exposure,
    }

    fn exposure(options: &[&str]) -> Exposure {
        Line::try_parse_from(["tenuto"].iter().chain(options)).unwrap().exposure
    }

    fn is_admitted(access: &Names, host: &'static str) -> bool {
        let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
        access.admit(&Method::GET, &Uri::from_static("/orders/1"), &headers).is_ok()
    }

    #[test]
    fn only_loopback_is_listened_on_unless_the_configuration_accepts_more() {
        for address in ["127.0.0.1:0", "[::1]:0", "127.3.2.1:7007", "[::ffff:127.0.0.1]:1"] {
            assert!(exposure(&[]).permit(address.parse().unwrap()).unwrap().warning().is_none(), "{address}");
        }
        for address in ["0.0.0.0:0", "[::]:7007", "10.0.0.1:1", "169.254.1.1:1", "[fe80::1]:1"] {
            let address = address.parse().unwrap();
            assert_eq!(exposure(&[]).permit(address).unwrap_err(), NotLoopback(address));
            assert!(exposure(&["--insecure-open"]).permit(address).unwrap().warning().is_some(), "{address}");
        }
    }

    #[test]
    fn a_name_that_resolves_to_loopback_is_not_enough() {
        let access = exposure(&["--allowed-hosts", "tenuto.internal,Tenuto"]);
        let access = access.permit("127.0.0.1:1".parse().unwrap()).unwrap();
        for host in ["localhost:7007", "127.0.0.1", "[::1]:1", "tenuto.internal:7007", "tenuto", "TENUTO.INTERNAL."] {
            assert!(is_admitted(&access, host), "{host}");
        }
        for host in ["evil.example", "a.tenuto.internal", "10.0.0.1", "127.0.0.1.evil.example"] {
            assert!(!is_admitted(&access, host), "{host}");
        }
    }

    #[test]
    fn a_listener_that_other_machines_reach_answers_for_addresses_and_not_for_unknown_names() {
        let access = exposure(&["--insecure-open"]).permit("0.0.0.0:1".parse().unwrap()).unwrap();
        for (host, is_known) in
            [("10.0.0.1:7007", true), ("[fd00::1]", true), ("localhost", true), ("evil.example", false)]
        {
            assert_eq!(is_admitted(&access, host), is_known, "{host}");
        }
    }

    #[test]
    fn every_name_is_the_servers_if_callers_are_authenticated_and_pages_still_need_leave() {
        let access = exposure(&["--allowed-origins", "https://shop.example"]).authenticated();
        assert!(is_admitted(&access, "orders.example") && access.warning().is_none());
        let from = |origin| {
            HeaderMap::from_iter([
                (HOST, HeaderValue::from_static("orders.example")),
                (http::header::ORIGIN, HeaderValue::from_static(origin)),
            ])
        };
        let asks = |origin| access.admit(&Method::POST, &Uri::from_static("/orders"), &from(origin));
        assert!(asks("https://shop.example").is_ok() && asks("https://orders.example").is_ok());
        assert!(asks("https://evil.example").is_err());
    }

    #[test]
    fn a_wrong_option_is_refused_with_what_is_allowed() {
        for (option, value, allowed) in [
            ("--allowed-hosts", "http://a", "a host name without a port"),
            ("--allowed-hosts", "a:1", "a host name without a port"),
            ("--allowed-origins", "shop.example", "an origin like https://"),
            ("--allowed-origins", "*", "an origin like https://"),
        ] {
            let refused = Line::try_parse_from(["tenuto", option, value]).err().unwrap().to_string();
            assert!(refused.contains(allowed), "{option} {value}: {refused}");
        }
    }
}
