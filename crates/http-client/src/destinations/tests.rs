//! Requests to hosts that are allowed and to others, over real sockets.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolving};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::mistake;

/// A server with one answer for all, which counts its connections.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let seen = connections.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                seen.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, connections }
    }

    async fn ok() -> Self {
        Self::start("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned()).await
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A name service that returns the next answer each time, and the last for ever.
struct Answers(Mutex<Vec<Vec<&'static str>>>);

impl Answers {
    fn new(answers: &[&[&'static str]]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(answers.iter().rev().map(|answer| answer.to_vec()).collect())))
    }
}

impl Resolve for Answers {
    fn resolve(&self, _: Name) -> Resolving {
        let mut left = self.0.lock().unwrap();
        let answer = if left.len() > 1 { left.pop().unwrap() } else { left[0].clone() };
        let addresses: Vec<SocketAddr> = answer.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
        Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
    }
}

fn destinations(rules: &str) -> Destinations {
    behind(rules, Proxies::default())
}

fn behind(rules: &str, proxies: Proxies) -> Destinations {
    let rules: Vec<Rule> = rules.split_whitespace().map(|rule| rule.parse().unwrap()).collect();
    Destinations { requests: Requests::ToParticipants, rules: rules.into(), proxies: Arc::new(proxies) }
}

fn check(destinations: &Destinations, url: &str) -> Result<(), NotPermitted> {
    destinations.check(&Url::parse(url).unwrap())
}

/// The result of a request: its status, or why it was not sent.
async fn request(builder: ClientBuilder, url: &str) -> Result<u16, String> {
    let client = builder.timeout(Duration::from_secs(20)).build().unwrap();
    match client.post(url).body("{}").send().await {
        Ok(response) => Ok(response.status().as_u16()),
        Err(error) => Err(mistake(&error).unwrap_or_else(|| panic!("{url}: {error:?} is no mistake"))),
    }
}

#[test]
fn without_rules_only_link_local_and_metadata_addresses_are_refused_however_they_are_written() {
    let any = destinations("");
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "http://169.254.1.1:8080",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://１６９.254.169.254/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "https://100.100.100.200/",
    ] {
        let refused = check(&any, url).expect_err(url).to_string();
        assert!(refused.contains("credentials") && refused.contains("--participant-hosts"), "{url}: {refused}");
    }
    for url in ["http://127.0.0.1:1", "http://[::1]", "http://10.0.0.1", "http://pay.example", "http://localhost"] {
        assert_eq!(check(&any, url), Ok(()), "{url}");
    }
}

#[test]
fn with_rules_other_hosts_and_ports_are_refused_with_what_is_allowed() {
    let few = destinations("pay.example *.internal:8080 10.0.0.0/8 192.168.0.0/16:443 [fd00::/8]:443");
    for url in [
        "http://pay.example",
        "https://PAY.example.:9",
        "http://ship.internal:8080",
        "http://10.9.9.9:1",
        "https://192.168.1.1/",
        "https://[fd00::1]/",
        // Its address is checked as a connection is opened.
        "http://elsewhere.example/",
    ] {
        assert_eq!(check(&few, url), Ok(()), "{url}");
    }
    for url in ["http://192.168.1.1/", "http://[fd00::1]/", "http://127.0.0.1:80", "http://11.0.0.1", "http://[::1]/"] {
        let refused = check(&few, url).expect_err(url).to_string();
        assert!(
            refused.contains("allows only pay.example, *.internal:8080, 10.0.0.0/8, 192.168.0.0/16:443"),
            "{refused}"
        );
    }
    let names = destinations("pay.example:443 *.internal");
    for url in
        ["http://pay.example", "http://internal", "http://evilpay.example", "http://127.0.0.1", "http://localhost"]
    {
        assert!(matches!(check(&names, url), Err(NotPermitted::Outside { .. })), "{url}");
    }
}

#[test]
fn a_guarded_address_is_permitted_only_by_a_network_within_the_guarded_one() {
    for (rules, is_permitted) in [
        ("0.0.0.0/0", false),
        ("169.0.0.0/8", false),
        ("169.254.0.0/16", true),
        ("169.254.169.254", true),
        ("169.254.169.254:80", true),
        ("169.254.169.254:81", false),
        ("169.254.10.0/24", false),
    ] {
        assert_eq!(check(&destinations(rules), "http://169.254.169.254/").is_ok(), is_permitted, "{rules}");
    }
}

#[tokio::test]
async fn a_name_is_refused_if_its_address_is_in_no_network() {
    let server = Server::ok().await;
    let url = format!("http://localhost:{}/", server.port);
    let others = destinations("10.0.0.0/8");
    assert_eq!(check(&others, &url), Ok(()));
    let refused = request(others.client_builder(None).unwrap(), &url).await.unwrap_err();
    assert!(refused.starts_with("not sent: requests must not go to localhost (") && refused.contains("10.0.0.0/8"));
    assert_eq!(server.connections(), 0);
    for rules in ["127.0.0.0/8 ::1", "localhost"] {
        assert_eq!(request(destinations(rules).client_builder(None).unwrap(), &url).await, Ok(204), "{rules}");
    }
}

#[tokio::test]
async fn a_network_at_one_port_is_reached_by_the_client_for_this_port_alone() {
    let server = Server::ok().await;
    let url = format!("http://localhost:{}/", server.port);
    let one_port = destinations(&format!("127.0.0.0/8:{0} [::1]:{0}", server.port));
    assert_eq!(one_port.ports(), [server.port].into());
    assert_eq!(request(one_port.client_builder(Some(server.port)).unwrap(), &url).await, Ok(204));
    for port in [None, Some(server.port ^ 1)] {
        request(one_port.client_builder(port).unwrap(), &url).await.unwrap_err();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_name_that_resolves_to_another_address_later_is_refused_then() {
    let server = Server::ok().await;
    let url = format!("http://pay.example:{}/", server.port);
    for rules in ["", "pay.example", "127.0.0.0/8"] {
        let names = Answers::new(&[&["127.0.0.1"], &["169.254.169.254"]]);
        let client = destinations(rules).client_builder_over(None, names).unwrap().pool_max_idle_per_host(0);
        let client = client.timeout(Duration::from_secs(20)).build().unwrap();
        assert_eq!(client.post(&url).send().await.unwrap().status(), 204, "{rules}");
        let refused = mistake(&client.post(&url).send().await.unwrap_err()).unwrap();
        assert!(refused.contains("pay.example (169.254.169.254)"), "{refused}");
    }
}

#[tokio::test]
async fn only_the_permitted_addresses_of_a_name_are_connected_to() {
    let (server, url) = (Server::ok().await, |port| format!("http://pay.example:{port}/"));
    let names = Answers::new(&[&["fe80::1", "169.254.169.254", "127.0.0.1"]]);
    let client = destinations("").client_builder_over(None, names).unwrap();
    assert_eq!(request(client, &url(server.port)).await, Ok(204));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let stolen = Server::ok().await;
    let location = format!("http://127.0.0.1:{}/stolen", stolen.port);
    let head = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\nconnection: close\r\n");
    let server = Server::start(format!("{head}content-length: 0\r\n\r\n")).await;
    let url = format!("http://127.0.0.1:{}/", server.port);
    for builder in [destinations("").client_builder(None).unwrap(), crate::builder().unwrap()] {
        assert_eq!(request(builder, &url).await, Ok(307));
    }
    assert_eq!(stolen.connections(), 0);
}

#[tokio::test]
async fn behind_a_proxy_a_name_must_be_named_since_its_address_is_not_known() {
    let proxy = Server::ok().await;
    let proxies = |host: &str| {
        let url = format!("http://{host}:{}", proxy.port);
        Proxies::of(|name| (name == "http_proxy").then(|| url.clone()))
    };
    let networks = behind("10.0.0.0/8", proxies("127.0.0.1"));
    assert!(matches!(check(&networks, "http://pay.example/"), Err(NotPermitted::Proxied { .. })));
    assert_eq!(check(&networks, "http://localhost/"), Ok(()));
    assert_eq!(check(&networks, "http://10.0.0.1/"), Ok(()));
    assert!(check(&networks, "http://169.254.169.254/").is_err());
    // The proxy itself need not be named.
    let named = behind("pay.example", proxies("localhost"));
    assert_eq!(check(&named, "http://pay.example/"), Ok(()));
    assert_eq!(request(named.client_builder(None).unwrap(), "http://pay.example/").await, Ok(204));
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn the_host_of_a_url_is_a_rule() {
    for (url, shown) in [
        ("http://127.0.0.1:7007", "127.0.0.1:7007"),
        ("https://pay.example./x", "pay.example:443"),
        ("http://[::1]:80/", "[::1]:80"),
    ] {
        assert_eq!(Rule::of(&Url::parse(url).unwrap()).unwrap().to_string(), shown);
    }
}

#[test]
fn webhooks_reach_only_the_public_internet_unless_hosts_are_named() {
    let to_webhooks = |rules: &str| Destinations { requests: Requests::ToWebhooks, ..destinations(rules) };
    for url in ["http://127.0.0.1/", "https://10.0.0.1/", "https://[fd00::1]/", "https://192.168.1.1:8443/"] {
        let refused = check(&to_webhooks(""), url).unwrap_err().to_string();
        assert!(refused.contains("--webhook-hosts") && refused.contains("public internet"), "{url}: {refused}");
    }
    let guarded = check(&to_webhooks(""), "https://169.254.169.254/").unwrap_err().to_string();
    assert!(guarded.contains("--webhook-hosts") && guarded.contains("credentials"), "{guarded}");
    assert_eq!(check(&to_webhooks(""), "https://8.8.8.8/"), Ok(()));
    assert_eq!(check(&to_webhooks("10.0.0.0/8 shop.example"), "https://10.0.0.1/"), Ok(()));
    let outside = check(&to_webhooks("10.0.0.0/8"), "https://8.8.8.8/").unwrap_err().to_string();
    assert!(outside.contains("--webhook-hosts (TENUTO_WEBHOOK_HOSTS) allows only 10.0.0.0/8"), "{outside}");
}

#[tokio::test]
async fn a_name_of_a_webhook_that_resolves_to_a_private_address_is_not_connected_to() {
    let server = Server::ok().await;
    let destinations = Destinations { requests: Requests::ToWebhooks, ..destinations("") };
    let builder = destinations.client_builder_over(None, Answers::new(&[&["127.0.0.1"]])).unwrap();
    let refused = request(builder, &format!("http://hooks.example:{}/", server.port)).await.unwrap_err();
    assert!(refused.contains("hooks.example (127.0.0.1)") && refused.contains("--webhook-hosts"), "{refused}");
    assert_eq!(server.connections(), 0);
}
