//! The proxies that the environment names.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use reqwest::dns::Resolve;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Error, NoProxy, Proxy, Url};

/// The hosts that are always reached directly.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// The proxies for each scheme, and the hosts that are reached without one.
#[derive(Clone, Default)]
pub(crate) struct Proxies {
    http: Option<String>,
    https: Option<String>,
    all: Option<String>,
    no_proxy: Option<String>,
}

/// Their URLs may hold passwords.
impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").finish_non_exhaustive()
    }
}

impl Proxies {
    pub fn of_environment() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| {
            let value = variable(name).or_else(|| variable(&name.to_uppercase()));
            value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        Self { http: set("http_proxy"), https: set("https_proxy"), all: set("all_proxy"), no_proxy: set("no_proxy") }
    }

    pub fn is_any(&self) -> bool {
        self.urls().next().is_some()
    }

    /// Whether a proxy is at the host with this name.
    pub fn has_host(&self, name: &str) -> bool {
        let hosts: BTreeSet<String> = self.urls().filter_map(host).collect();
        hosts.contains(name)
    }

    fn urls(&self) -> impl Iterator<Item = &str> {
        [&self.http, &self.https, &self.all].into_iter().filter_map(Option::as_deref)
    }

    /// A builder of clients, without Nagle's algorithm, that follow no redirect: an answer is what
    /// the server at the URL itself says.
    pub fn builder(&self, names: Arc<dyn Resolve>) -> Result<ClientBuilder, Error> {
        let direct =
            self.no_proxy.as_ref().map_or_else(|| LOOPBACK.to_owned(), |others| format!("{LOOPBACK},{others}"));
        // The library supports `*` only as the whole list.
        let direct = if direct.split(',').any(|entry| entry.trim() == "*") { "*".to_owned() } else { direct };
        let direct = NoProxy::from_string(&direct);
        // `no_proxy` also stops the library from reading the environment itself.
        let mut builder = Client::builder().tcp_nodelay(true).redirect(Policy::none()).dns_resolver2(names).no_proxy();
        if let Some(url) = &self.http {
            builder = builder.proxy(Proxy::http(url)?.no_proxy(direct.clone()));
        }
        if let Some(url) = &self.https {
            builder = builder.proxy(Proxy::https(url)?.no_proxy(direct.clone()));
        }
        if let Some(url) = &self.all {
            builder = builder.proxy(Proxy::all(url)?.no_proxy(direct));
        }
        Ok(builder)
    }
}

/// The host of a proxy, whose URL may lack its scheme.
fn host(url: &str) -> Option<String> {
    let with_host = |text: &str| Url::parse(text).ok()?.host_str().map(str::to_owned);
    with_host(url).or_else(|| with_host(&format!("http://{url}")))
}
