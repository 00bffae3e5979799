//! The address of a participant: an `http` or `https` URL; or `${NAME}`, a setting of the command
//! handler, with a path after it.
//!
//! The value of a setting may contain a password, so a definition can only add a path to it. The
//! action follows the address, so an address with a query or a fragment would lose the action.

use url::{ParseError, Url};

/// The limit for an address, in bytes.
pub(super) const MAX_LENGTH: usize = 2048;
/// The limit for the name of a setting, in bytes.
const MAX_SETTING_LENGTH: usize = 100;
/// Characters that RFC 3986 allows in no URL.
const NEVER: &str = "{}<>\"|^`";

/// Why a participant has no usable address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// The setting has no value.
    #[error(
        "the setting {0} has no value: set {0}, in the environment of every command handler, to the http or https URL of \
         the participant"
    )]
    Missing(String),
    /// The value of the setting is not an address. The error omits the value, which may contain a
    /// password.
    #[error("the value of the setting {setting} {reason}")]
    BadSetting {
        /// The name of the setting.
        setting: String,
        /// What is wrong with its value.
        reason: String,
    },
    /// The text of the definition after a setting would lead to another place.
    #[error("the address leads away from what the setting {0} names: behind it, only '/' and a path may follow")]
    LeadsAway(String),
    /// The definition's address is not valid.
    #[error("the address of the participant {0}")]
    Faulty(String),
    /// The configuration does not allow requests to this host.
    #[error("{0}")]
    NotPermitted(String),
}

/// What is wrong with an address, and at which of its characters (from 0), if at one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub reason: String,
    pub at: Option<usize>,
}

impl Flaw {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), at: None }
    }
}

/// The address of a participant. `setting` returns the values of settings.
pub fn resolve<'a>(address: &str, setting: impl FnOnce(&str) -> Option<&'a str>) -> Result<Url, AddressFault> {
    let Some((name, path)) = with_setting(address) else {
        return parse(address).map_err(|flaw| AddressFault::Faulty(flaw.reason));
    };
    let value = setting(name).filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| AddressFault::Missing(name.to_owned()))?;
    let bad = |flaw: Flaw| AddressFault::BadSetting { setting: name.to_owned(), reason: flaw.reason };
    let base = parse(value).map_err(bad)?;
    check_path(path).map_err(|_| AddressFault::LeadsAway(name.to_owned()))?;
    let whole = format!("{}{path}", base.as_str().trim_end_matches('/'));
    let resolved = parse(&whole).map_err(|flaw| AddressFault::Faulty(flaw.reason))?;
    // The checks above ensure this. If one of them is wrong, it must not send a password elsewhere.
    if is_within(&resolved, &base) { Ok(resolved) } else { Err(AddressFault::LeadsAway(name.to_owned())) }
}

/// Checks the address of a definition that an author registers.
pub(crate) fn check(address: &str) -> Result<(), Flaw> {
    let Some((name, path)) = with_setting(address) else {
        let url = parse(address)?;
        if !url.username().is_empty() || url.password().is_some() || address.contains("://@") {
            let reason = "must not hold a user or a password, since definitions are shown and kept for ever: have a \
                          setting like ${SHIPPING_URL} hold them";
            return Err(Flaw::new(reason));
        }
        return Ok(());
    };
    if !name.ends_with("_URL") || name.len() > MAX_SETTING_LENGTH {
        let reason = format!(
            "the name of a setting must end in _URL and be at most {MAX_SETTING_LENGTH} long, like SHIPPING_URL"
        );
        return Err(Flaw::new(reason));
    }
    check_path(path).map_err(|flaw| Flaw { at: flaw.at.map(|at| at + name.len() + "${}".len()), ..flaw })
}

/// Reads a URL to which a path can be added.
pub fn base(text: &str) -> Result<Url, String> {
    parse(text).map_err(|flaw| flaw.reason)
}

/// The setting's name, and the text after it.
fn with_setting(address: &str) -> Option<(&str, &str)> {
    address.strip_prefix("${")?.split_once('}')
}

fn parse(text: &str) -> Result<Url, Flaw> {
    if text.len() > MAX_LENGTH {
        return Err(Flaw::new(format!("must be at most {MAX_LENGTH} long")));
    }
    check_characters(text)?;
    let rest = ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = text.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let rest = rest.ok_or_else(|| Flaw::new("must start with http:// or https:// and a host"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    // The library would skip further slashes and read the host after them.
    if authority.is_empty() {
        return Err(Flaw::new("must have a host after http:// or https://"));
    }
    check_segments(rest.get(authority.len()..).unwrap_or_default())?;
    let no_port = "must have a port from 1 to 65535 after ':'";
    let url = Url::parse(text).map_err(|error| match error {
        ParseError::InvalidPort => Flaw::new(no_port),
        ParseError::InvalidIpv6Address => {
            Flaw::new("must have a whole IPv6 address in brackets, like http://[::1]:8080")
        }
        other => Flaw::new(format!("is not a URL: {other}")),
    })?;
    if url.port() == Some(0) || authority.ends_with(':') { Err(Flaw::new(no_port)) } else { Ok(url) }
}

/// Checks the text after a setting.
fn check_path(path: &str) -> Result<(), Flaw> {
    if !path.is_empty() && !path.starts_with('/') {
        let reason = "only '/' and a path may follow a setting: anything else could send its value elsewhere";
        return Err(Flaw { reason: reason.to_owned(), at: Some(0) });
    }
    check_characters(path)?;
    check_segments(path)
}

fn check_characters(text: &str) -> Result<(), Flaw> {
    let wrong = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '\\') || NEVER.contains(c);
    let Some((at, found)) = text.chars().enumerate().find(|(_, c)| wrong(*c)) else { return Ok(()) };
    let reason = match found {
        '?' | '#' => format!("must not hold '{found}': the action is put behind the address, as a part of its path"),
        '\\' => "must not hold '\\': use '/'".to_owned(),
        c if c.is_whitespace() || c.is_control() => "must not hold spaces or control characters".to_owned(),
        c => format!("must not hold '{c}'"),
    };
    Err(Flaw { reason, at: Some(at) })
}

/// A URL parser reads `..` as "one up", which leaves the path of a setting.
fn check_segments(path: &str) -> Result<(), Flaw> {
    let is_dots = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    if path.split('/').any(is_dots) {
        return Err(Flaw::new("must not hold the path segments '.' and '..'"));
    }
    Ok(())
}

/// Whether an address equals the base, or is a path below it.
fn is_within(url: &Url, base: &Url) -> bool {
    let place = |url: &Url| {
        let host = url.host().map(|host| host.to_owned());
        (url.scheme().to_owned(), url.username().to_owned(), url.password().map(str::to_owned), host, url.port())
    };
    let beyond = url.path().strip_prefix(base.path().trim_end_matches('/'));
    place(url) == place(base) && beyond.is_some_and(|beyond| beyond.is_empty() || beyond.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VAULT: &str = "https://user:s3cret@vault.internal:8200/v1";

    fn resolved(address: &str) -> Result<String, AddressFault> {
        resolve(address, |name| (name == "VAULT_URL").then_some(VAULT)).map(String::from)
    }

    #[test]
    fn a_path_may_be_added_to_a_setting() {
        assert_eq!(resolved("${VAULT_URL}").as_deref(), Ok(VAULT));
        assert_eq!(resolved("${VAULT_URL}/a/b").unwrap(), format!("{VAULT}/a/b"));
        assert_eq!(resolved("${VAULT_URL}/").unwrap(), format!("{VAULT}/"));
        let with_slash = resolve("${A_URL}/x", |_| Some("http://a/"));
        assert_eq!(with_slash.map(String::from).as_deref(), Ok("http://a/x"));
    }

    #[test]
    fn no_path_sends_a_settings_value_to_another_host() {
        let elsewhere =
            ["@evil.example/", ".evil.example", ":22950/", "0/", "evil", "?to=evil", "#evil", "\\evil", " /x"];
        let up = ["/../x", "/%2e%2E/x", "/a/..", "/./x", "/..\\x", "/\t/x", "/x?y", "/x#y"];
        for tail in elsewhere.iter().chain(&up) {
            let address = format!("${{VAULT_URL}}{tail}");
            assert_eq!(resolved(&address), Err(AddressFault::LeadsAway("VAULT_URL".to_owned())), "{address}");
            assert!(check(&address).is_err(), "{address}");
        }
    }

    #[test]
    fn a_flaw_has_its_place() {
        assert_eq!(check("${VAULT_URL}@evil/").unwrap_err().at, Some(12));
        assert_eq!(check("http://a/b?c").unwrap_err().at, Some(10));
    }

    #[test]
    fn a_setting_without_a_usable_value_is_named_and_its_value_is_not_shown() {
        assert_eq!(resolved("${TAX_URL}"), Err(AddressFault::Missing("TAX_URL".to_owned())));
        assert_eq!(resolve("${A_URL}", |_| Some("")), Err(AddressFault::Missing("A_URL".to_owned())));
        for value in
            ["s3cret:8080", "http://u:s3cret@h?x", "ftp://s3cret", "http://u:s3cret@h:99999", "http://s3cret h"]
        {
            let error = resolve("${A_URL}/x", |_| Some(value)).unwrap_err().to_string();
            assert!(error.contains("A_URL") && error.contains("must") && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn an_invalid_address_is_refused_with_the_allowed_form() {
        for (address, says) in [
            ("http://h?tenant=blue", "'?'"),
            ("http://h/api#blue", "'#'"),
            ("http://h\\api", "use '/'"),
            ("http://127.0.0.1:99999/api", "1 to 65535"),
            ("http://127.0.0.1:0/api", "1 to 65535"),
            ("http://127.0.0.1:/api", "1 to 65535"),
            ("http://h:8a/api", "1 to 65535"),
            ("http://[::1/api", "[::1]"),
            ("http://[::zz]/api", "[::1]"),
            ("http://256.1.1.1/", "IPv4"),
            ("http:///api", "a host"),
            ("http://:80", "is not a URL"),
            ("http:h", "http://"),
            ("h:80", "http://"),
            ("file:///etc/passwd", "http://"),
            ("http://u:p@h/", "${SHIPPING_URL}"),
            ("http://@h/", "${SHIPPING_URL}"),
            ("http://h/\u{7f}", "control"),
            ("http://h/\u{a0}", "spaces"),
            ("http://h/{tenant}", "'{'"),
            ("http://h/a/../b", "'..'"),
            ("${SHIPPING}", "_URL"),
        ] {
            let flaw = check(address).map_err(|flaw| flaw.reason);
            assert!(flaw.as_ref().is_err_and(|reason| reason.contains(says)), "{address}: {flaw:?}");
        }
        for address in
            ["http://h", "https://h:8443/api/", "http://[::1]:80/x", "http://bücher.example/ä", "${A_URL}/b-c"]
        {
            assert_eq!(check(address), Ok(()), "{address}");
        }
    }

    proptest! {
        #[test]
        fn a_path_after_a_setting_never_separates_its_host_and_password(tail in "[/@:.?#\\\\%a-e0-9 \\PC]{0,12}") {
            if let Ok(url) = resolved(&format!("${{VAULT_URL}}{tail}")) {
                let url = Url::parse(&url).unwrap();
                prop_assert_eq!((url.scheme(), url.username(), url.password()), ("https", "user", Some("s3cret")));
                prop_assert_eq!((url.host_str(), url.port()), (Some("vault.internal"), Some(8200)));
                prop_assert!(url.path().starts_with("/v1") && url.query().is_none() && url.fragment().is_none());
            }
        }
    }
}
