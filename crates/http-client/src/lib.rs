//! The setup of every outgoing HTTP client of Tenuto.
//!
//! Proxies come from `HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY`, except for the hosts in
//! `NO_PROXY`; lower-case names come first. Requests to loopback never use a proxy, which would
//! reach its own loopback, or refuse. No client follows a redirect.
//!
//! Requests to participants may trust a private authority, and show a certificate
//! ([`ParticipantFiles`]). [`Destinations`] is for URLs that others choose: it keeps requests away
//! from other hosts.

mod body;
mod destinations;
mod mistake;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod mistake_tests;
mod names;
mod no_answer;
mod participants;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod participants_tests;
mod proxies;
mod retry_after;
mod webhooks;

use std::sync::Arc;

use reqwest::{ClientBuilder, Error};

pub use body::{at_most, whole};
pub use destinations::{Destinations, NotARule, NotPermitted, Requests, Rule};
pub use mistake::{Causes, causes, mistake};
use names::SystemNames;
pub use no_answer::no_answer;
pub use participants::{ParticipantFiles, ParticipantTls, TlsFault};
use proxies::Proxies;
pub use retry_after::retry_after;
pub use webhooks::{WebhookArgs, WebhookTlsFault};

/// A builder of clients for URLs that an operator chooses, with the proxies of the environment.
pub fn builder() -> Result<ClientBuilder, Error> {
    Proxies::of_environment().builder(Arc::new(SystemNames))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn with_proxies(variable: impl Fn(&str) -> Option<String>) -> Result<ClientBuilder, Error> {
        Proxies::of(variable).builder(Arc::new(SystemNames))
    }

    /// A server that answers every request with its name.
    async fn server(name: &'static str) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let answer =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{name}", name.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        address
    }

    async fn get(variables: &[(&str, String)], url: &str) -> Result<String, Error> {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let client = with_proxies(variable).unwrap().timeout(Duration::from_secs(20)).build().unwrap();
        client.get(url).send().await?.text().await
    }

    async fn fetched(variables: &[(&str, String)], url: &str) -> String {
        get(variables, url).await.unwrap()
    }

    #[tokio::test]
    async fn loopback_is_never_reached_through_a_proxy_and_other_hosts_are() {
        let (proxy, own) = (server("proxy").await, server("own").await);
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            let variables = [(name, format!("http://{proxy}"))];
            assert_eq!(fetched(&variables, &format!("http://{own}/")).await, "own", "{name}");
            assert_eq!(fetched(&variables, &format!("http://localhost:{}/", own.port())).await, "own", "{name}");
            assert_eq!(fetched(&variables, "http://shop.example/").await, "proxy", "{name}");
        }
    }

    #[tokio::test]
    async fn hosts_in_no_proxy_are_reached_directly() {
        let proxy = server("proxy").await;
        let variables = [("http_proxy", format!("http://{proxy}")), ("no_proxy", "other.example".to_owned())];
        assert_eq!(fetched(&variables, "http://shop.example/").await, "proxy");
        let own = server("own").await;
        assert_eq!(fetched(&variables, &format!("http://{own}/")).await, "own");
        let none = [("http_proxy", format!("http://{proxy}")), ("no_proxy", "shop.example".to_owned())];
        assert!(get(&none, "http://shop.example/").await.is_err(), "there is no such host to ask directly");
    }

    #[test]
    fn a_proxy_that_is_not_a_url_is_an_error() {
        let variable = |name: &str| (name == "http_proxy").then(|| "http://[".to_owned());
        assert!(with_proxies(variable).is_err());
    }
}
