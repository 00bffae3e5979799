//! The address of an endpoint.

use url::{Host, Url};

/// The limit for an address, in bytes.
const MAX_LENGTH: usize = 2048;

/// Checks the URL of an endpoint. It is shown and kept for ever, so it holds no password. Without
/// TLS, only this machine is reached.
pub fn check_url(text: &str) -> Result<Url, String> {
    if text.len() > MAX_LENGTH {
        return Err(format!("must be at most {MAX_LENGTH} bytes long"));
    }
    let url = Url::parse(text).map_err(|error| format!("must be a URL like https://shop.example/hooks: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("must start with https:// and a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or a password: notifications are signed instead".to_owned());
    }
    if url.fragment().is_some() {
        return Err("must not have a fragment ('#'), which is not sent".to_owned());
    }
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() == "http" && !is_loopback {
        return Err("must start with https://; http:// is allowed for this machine only".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_reached_over_tls_and_its_address_holds_no_secret() {
        for good in
            ["https://shop.example", "https://shop.example:8443/hooks?a=b", "http://127.0.0.1:1/x", "http://[::1]/"]
        {
            assert!(check_url(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", "must be a URL"),
            ("shop.example", "must be a URL"),
            ("ftp://shop.example", "https://"),
            ("http://shop.example", "must start with https://"),
            ("http://10.0.0.1/", "must start with https://"),
            ("https://ann:s3cret@shop.example", "password"),
            ("https://shop.example/#here", "fragment"),
            (&format!("https://shop.example/{}", "a".repeat(2048)), "2048"),
        ] {
            let refused = check_url(bad).unwrap_err();
            assert!(refused.contains(why) && !refused.contains("s3cret"), "{bad}: {refused}");
        }
    }
}
