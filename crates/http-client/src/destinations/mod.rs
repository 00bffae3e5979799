//! Where requests may go, if their URLs come from authors of workflows, or from callers.
//!
//! A URL is checked before its request. A host name can resolve to any address, and to another one
//! each time (DNS rebinding), so each address is checked again when a connection is opened to it:
//! see [`permitted_names`]. A proxy resolves names itself, so behind a proxy only the name can be
//! checked.

mod guarded;
mod not_permitted;
mod permitted_names;
mod public;
mod rule;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use reqwest::dns::Resolve;
use reqwest::{ClientBuilder, Error, Url};
use url::Host;

use crate::names::SystemNames;
use crate::proxies::Proxies;
use guarded::guarded;
pub use not_permitted::{NotPermitted, Requests};
use permitted_names::PermittedNames;
use public::is_public;
pub use rule::{NotARule, Rule};

/// The hosts that requests may go to. Without a rule these are, for participants, all hosts except
/// for link-local addresses and those where clouds hand out credentials; only a network within them
/// permits these. For webhooks, they are the hosts of the public internet.
#[derive(Debug, Clone)]
pub struct Destinations {
    requests: Requests,
    rules: Arc<[Rule]>,
    proxies: Arc<Proxies>,
}

impl Default for Destinations {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl PartialEq for Destinations {
    /// The proxies are those of the environment.
    fn eq(&self, other: &Self) -> bool {
        (self.requests, &self.rules) == (other.requests, &other.rules)
    }
}

impl Destinations {
    /// The hosts that these rules name, reached through the proxies of the environment.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self::of(Requests::ToParticipants, rules)
    }

    /// The same, for requests of this kind.
    pub fn of(requests: Requests, rules: Vec<Rule>) -> Self {
        Self { requests, rules: rules.into(), proxies: Arc::new(Proxies::of_environment()) }
    }

    /// The ports that rules name. A client for one of them reaches hosts that others do not.
    pub fn ports(&self) -> BTreeSet<u16> {
        self.rules.iter().filter_map(Rule::port).collect()
    }

    /// A builder of clients for URLs with this port: they connect only to permitted addresses.
    pub fn client_builder(&self, port: Option<u16>) -> Result<ClientBuilder, Error> {
        self.client_builder_over(port, Arc::new(SystemNames))
    }

    fn client_builder_over(&self, port: Option<u16>, names: Arc<dyn Resolve>) -> Result<ClientBuilder, Error> {
        let own = self.clone();
        let check = move |host: &str, address| {
            // The operator has named the proxies.
            if own.proxies.has_host(host) { Ok(()) } else { own.check_address(Some(host), address, port) }
        };
        self.proxies.builder(Arc::new(PermittedNames { names, check: Arc::new(check) }))
    }

    /// Checks a URL, as far as it is decided before its host is resolved.
    pub fn check(&self, url: &Url) -> Result<(), NotPermitted> {
        let port = url.port_or_known_default();
        match url.host() {
            Some(Host::Ipv4(address)) => self.check_address(None, address.into(), port),
            Some(Host::Ipv6(address)) => self.check_address(None, address.into(), port),
            Some(Host::Domain(name)) => self.check_name(name, port),
            None => Ok(()),
        }
    }

    fn check_name(&self, name: &str, port: Option<u16>) -> Result<(), NotPermitted> {
        if self.rules.is_empty() || self.names(name, port) {
            return Ok(());
        }
        if !self.rules.iter().any(|rule| rule.is_network() && rule.is_for(port)) {
            return Err(self.outside(with_port(name, port)));
        }
        // Loopback is never reached through a proxy.
        if self.proxies.is_any() && name != "localhost" {
            return Err(NotPermitted::Proxied { host: name.to_owned(), requests: self.requests });
        }
        Ok(())
    }

    /// Checks an address, which may be that of a name.
    fn check_address(&self, name: Option<&str>, address: IpAddr, port: Option<u16>) -> Result<(), NotPermitted> {
        let host = || name.map_or_else(|| address.to_string(), |name| format!("{name} ({address})"));
        let mut networks = self.rules.iter().filter(|rule| rule.is_for(port) && rule.contains(address));
        if let Some(guarded) = guarded(address) {
            let is_meant = networks.any(|rule| rule.is_within(guarded.network));
            return if is_meant {
                Ok(())
            } else {
                Err(NotPermitted::Guarded { host: host(), what: guarded.what, requests: self.requests })
            };
        }
        if self.rules.is_empty() && self.requests == Requests::ToWebhooks && !is_public(address) {
            return Err(NotPermitted::NotPublic { host: host() });
        }
        if self.rules.is_empty() || networks.next().is_some() || name.is_some_and(|name| self.names(name, port)) {
            return Ok(());
        }
        Err(self.outside(with_port(&host(), port)))
    }

    fn names(&self, name: &str, port: Option<u16>) -> bool {
        self.rules.iter().any(|rule| rule.is_for(port) && rule.names(name))
    }

    fn outside(&self, host: String) -> NotPermitted {
        let allowed = self.rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        NotPermitted::Outside { host, allowed, requests: self.requests }
    }
}

fn with_port(host: &str, port: Option<u16>) -> String {
    port.map_or_else(|| host.to_owned(), |port| format!("{host}, port {port}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;
