//! Whether the page that sends a request may use this server.
//!
//! A browser names the page's origin in `Origin` where the page reads the answer, changes something
//! or opens a WebSocket (RFC 6454). For other requests, such as those for an image, it says in
//! `Sec-Fetch-Site` (W3C Fetch Metadata) whether the page belongs to another site. Other clients
//! send neither.

use http::header::{ACCEPT, ORIGIN, UPGRADE};
use http::{HeaderMap, Method, Uri};

use crate::Refusal;
use crate::host::Host;

const SITE: &str = "sec-fetch-site";
const MODE: &str = "sec-fetch-mode";

/// Where a page comes from: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    is_https: bool,
    name: String,
    port: u16,
}

impl Origin {
    /// Reads an origin like `https://shop.example` or `http://localhost:5173`.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let is_https = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let Host { name, port } = Host::parse(rest)?;
        Some(Self { is_https, name, port: port.unwrap_or(default_port(is_https)) })
    }

    /// Whether a page of this origin and a request to this host meet at the same server.
    fn is_of(&self, host: &Host) -> bool {
        self.name == host.name && self.port == host.port.unwrap_or(default_port(self.is_https))
    }
}

fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

/// Whether a browser opens the address as a page: it wants HTML, names no query, and begins no
/// WebSocket.
pub fn opens_a_page(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let wants_html = accepted.any(|value| value.contains("text/html"));
    wants_html
        && matches!(*method, Method::GET | Method::HEAD)
        && uri.query().is_none()
        && !headers.contains_key(UPGRADE)
}

/// Refuses a request that a page of another origin sends, unless that origin is allowed.
pub fn check(method: &Method, headers: &HeaderMap, host: &Host, allowed: &[Origin]) -> Result<(), Refusal> {
    let mut origins = headers.get_all(ORIGIN).iter().peekable();
    if origins.peek().is_none() {
        return check_site(method, headers);
    }
    for origin in origins {
        let known = origin.to_str().ok().and_then(Origin::parse);
        if !known.is_some_and(|origin| origin.is_of(host) || allowed.contains(&origin)) {
            return Err(Refusal::other_origin(origin.as_bytes()));
        }
    }
    Ok(())
}

/// A link to this server may be followed from any page: the page does not see the answer.
fn check_site(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    let said = |name: &str, value: &str| headers.get_all(name).iter().any(|said| said == value);
    let is_other = said(SITE, "cross-site") || said(SITE, "same-site");
    let is_link = method == Method::GET && said(MODE, "navigate");
    if is_other && !is_link { Err(Refusal::OtherSite) } else { Ok(()) }
}

/// Reads an origin that the configuration allows.
pub(crate) fn parse_allowed(text: &str) -> Result<Origin, String> {
    let origin = text.parse::<Uri>().ok().filter(|uri| uri.path().len() <= 1 && uri.query().is_none());
    let origin = origin.and_then(|_| Origin::parse(text.strip_suffix('/').unwrap_or(text)));
    origin.ok_or_else(|| "is not an origin like https://shop.example or http://localhost:5173".to_owned())
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderName, HeaderValue};

    use super::*;

    fn asked(method: &Method, sent: &[(&'static str, &'static str)]) -> Result<(), Refusal> {
        let headers = sent.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let allowed = [parse_allowed("https://shop.example/").unwrap()];
        check(method, &headers.collect(), &Host::parse("localhost:7007").unwrap(), &allowed)
    }

    #[test]
    fn clients_that_are_no_browsers_are_let_in() {
        assert_eq!(asked(&Method::POST, &[]), Ok(()));
    }

    #[test]
    fn pages_of_this_server_and_of_allowed_origins_are_let_in() {
        for origin in ["http://localhost:7007", "https://shop.example", "https://shop.example:443"] {
            assert_eq!(
                asked(&Method::POST, &[("origin", origin), ("sec-fetch-site", "cross-site")]),
                Ok(()),
                "{origin}"
            );
        }
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        for origin in [
            "null",
            "https://evil.example",
            "http://shop.example",
            "http://localhost",
            "http://localhost:7008",
            "http://127.0.0.1:7007",
            "http://localhost:7007.evil.example",
            "http://localhost:7007@evil.example",
            "file://",
            "",
        ] {
            let refused = asked(&Method::GET, &[("origin", origin)]);
            assert!(matches!(refused, Err(Refusal::OtherOrigin(_))), "{origin}: {refused:?}");
        }
    }

    #[test]
    fn one_origin_of_several_that_is_not_allowed_is_enough_to_refuse() {
        let mut headers = HeaderMap::new();
        headers.append(ORIGIN, HeaderValue::from_static("http://localhost:7007"));
        headers.append(ORIGIN, HeaderValue::from_static("https://evil.example"));
        let host = Host::parse("localhost:7007").unwrap();
        assert!(check(&Method::POST, &headers, &host, &[]).is_err());
    }

    #[test]
    fn a_page_of_another_site_may_link_here_and_not_embed_or_send() {
        let navigate = ("sec-fetch-mode", "navigate");
        for site in ["cross-site", "same-site"] {
            let site = ("sec-fetch-site", site);
            assert_eq!(asked(&Method::GET, &[site, navigate]), Ok(()));
            assert_eq!(asked(&Method::GET, &[site, ("sec-fetch-mode", "no-cors")]), Err(Refusal::OtherSite));
            assert_eq!(asked(&Method::POST, &[site, navigate]), Err(Refusal::OtherSite));
        }
        for site in ["none", "same-origin"] {
            assert_eq!(asked(&Method::GET, &[("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")]), Ok(()));
        }
    }

    #[test]
    fn an_allowed_origin_is_scheme_host_and_port() {
        for text in ["https://shop.example", "https://shop.example/", "http://[::1]:80"] {
            assert!(parse_allowed(text).is_ok(), "{text}");
        }
        for text in
            ["*", "null", "shop.example", "https://", "ftp://shop.example", "https://shop.example/path", "https://a?b"]
        {
            assert!(parse_allowed(text).is_err(), "{text}");
        }
    }
}
