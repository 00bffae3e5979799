//! The file that says who is accepted.
//!
//! ```toml
//! # The first key of an administrator: a file with the text of an API key. Optional.
//! admin-key-file = "/run/credentials/tenuto/admin-key"
//!
//! [issuers.company]
//! url = "https://login.example/realms/shop"
//! audiences = ["tenuto"]
//! role-claim = "realm_access.roles"
//! # Where people sign in to the console: its id with the issuer, as a public client. Optional.
//! console-client-id = "tenuto-console"
//!
//! [issuers.company.roles]
//! order-desk = ["operator"]
//! payments-service = ["participant:payments"]
//!
//! [client-certificates]
//! "payments.internal" = ["participant:payments"]
//!
//! [[second-person]]
//! operations = ["cancel"]
//! above-total = "1000.00"
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use access::api_key::ApiKey;
use access::token::{ALGORITHMS, Issuer};
use access::{ConsoleIssuer, NoRole, Principal, Role, SecondPerson, SecondPersonRule};
use jsonwebtoken::Algorithm;
use rust_decimal::Decimal;
use secrets::{ExposeSecret, in_file};
use serde::Deserialize;
use url::{Host, Url};

/// The largest file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;
/// How far an issuer's clock may be from this one by default, and at most, in seconds.
const LEEWAY: u32 = 30;
const MAX_LEEWAY: u32 = 300;
/// The longest name of an issuer, in characters.
const MAX_NAME: usize = 40;
/// What stands after the `@` in the name of a client with a certificate: no issuer is called so.
const CERTIFICATE: &str = "certificate";
/// The longest name in a certificate, in characters.
const MAX_CERTIFICATE_NAME: usize = 255;
/// How long a request waits for a second person by default, and at most, in hours.
const EXPIRES_HOURS: u32 = 24;
const MAX_EXPIRES_HOURS: u32 = 24 * 30;

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("the access file {}: it cannot be read: {source}; name another one, or correct its rights", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML of this form.
    #[error("the access file {}: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// The issuers cannot be asked.
    #[error("no HTTP client can be made, which would fetch the keys of issuers: {0}")]
    Client(#[from] reqwest::Error),
    /// A value cannot be used.
    #[error("the access file {}: {place}: {fault}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where the value stands.
        place: String,
        /// What is wrong, and what is allowed.
        fault: String,
    },
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    admin_key_file: Option<PathBuf>,
    #[serde(default)]
    issuers: BTreeMap<String, WrittenIssuer>,
    /// The roles of clients, by a name in their certificates.
    #[serde(default)]
    client_certificates: BTreeMap<String, Vec<String>>,
    /// Which operations a second person has to approve.
    #[serde(default)]
    second_person: Vec<WrittenRule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenRule {
    operations: Vec<String>,
    #[serde(default)]
    workflows: BTreeSet<String>,
    above_total: Option<String>,
    above_orders: Option<u64>,
    #[serde(default = "usual_approver")]
    approver: String,
    expires_hours: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenIssuer {
    url: String,
    audiences: Vec<String>,
    algorithms: Option<Vec<String>>,
    leeway_seconds: Option<u32>,
    #[serde(default = "usual_role_claim")]
    role_claim: String,
    console_client_id: Option<String>,
    #[serde(default = "usual_scope")]
    console_scope: String,
    roles: BTreeMap<String, Vec<String>>,
}

fn usual_role_claim() -> String {
    "roles".to_owned()
}

fn usual_scope() -> String {
    "openid".to_owned()
}

fn usual_approver() -> String {
    Role::Operator.kind().to_owned()
}

/// A configuration that can be used.
#[derive(Debug)]
pub struct Config {
    /// Whose tokens are accepted.
    pub issuers: Vec<Issuer>,
    /// Where people sign in to the console.
    pub console: Vec<ConsoleIssuer>,
    /// The key of the first administrator.
    pub admin_key: Option<ApiKey>,
    /// The principals of clients, by a name in their certificates.
    pub certificates: BTreeMap<String, Arc<Principal>>,
    /// Which operations a second person has to approve.
    pub second_person: SecondPerson,
}

/// Reads the file.
pub fn read(path: &Path) -> Result<Config, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(unreadable(io::Error::other(format!("it has more than {MAX_BYTES} bytes"))));
    }
    checked(path, &std::fs::read_to_string(path).map_err(unreadable)?)
}

fn checked(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let malformed = |source| ConfigError::Malformed { path: path.to_owned(), source: Box::new(source) };
    let written: Written = toml::from_str(text).map_err(malformed)?;
    let wrong =
        |place: &str, fault: String| ConfigError::Wrong { path: path.to_owned(), place: place.to_owned(), fault };
    let (mut issuers, mut console): (Vec<Issuer>, Vec<ConsoleIssuer>) = Default::default();
    for (name, issuer) in written.issuers {
        console.extend(issuer.console_client(&name).map_err(|(place, fault)| wrong(&place, fault))?);
        let issuer = issuer.checked(name).map_err(|(place, fault)| wrong(&place, fault))?;
        if let Some(other) = issuers.iter().find(|other| other.url == issuer.url) {
            let fault = format!("{} is the issuer {} already", issuer.url, other.name);
            return Err(wrong(&format!("issuers.{}.url", issuer.name), fault));
        }
        issuers.push(issuer);
    }
    let admin_key = written.admin_key_file.map(|file| admin_key(&file));
    let admin_key = admin_key.transpose().map_err(|fault| wrong("admin-key-file", fault))?;
    let certificates = written.client_certificates.into_iter().map(|(name, roles)| certified(name, &roles));
    let certificates = certificates.collect::<Result<_, _>>().map_err(|(place, fault)| wrong(&place, fault))?;
    let rules = written.second_person.into_iter().enumerate().map(|(index, rule)| {
        rule.checked().map_err(|(field, fault)| wrong(&format!("second-person {}: {field}", index + 1), fault))
    });
    let second_person = SecondPerson::new(rules.collect::<Result<Vec<_>, _>>()?);
    Ok(Config { issuers, console, admin_key, certificates, second_person })
}

/// Where a value stands, and what is wrong with it.
type Fault = (String, String);

/// The principal of clients whose certificate has this name.
fn certified(name: String, roles: &[String]) -> Result<(String, Arc<Principal>), Fault> {
    let place = format!("client-certificates.{name:?}");
    let fits = (1..=MAX_CERTIFICATE_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if !fits {
        return Err((place, format!("a name has 1 to {MAX_CERTIFICATE_NAME} characters, and no control characters")));
    }
    let roles = read_roles(roles).map_err(|fault| (place, fault.to_string()))?;
    let principal =
        Principal { name: format!("{name}@{CERTIFICATE}"), roles: BTreeSet::from_iter(roles), on_behalf_of: false };
    Ok((name, Arc::new(principal)))
}

fn read_roles(names: &[String]) -> Result<Vec<Role>, NoRole> {
    names.iter().map(|name| name.parse()).collect()
}

impl WrittenRule {
    fn checked(self) -> Result<SecondPersonRule, Fault> {
        let known = SecondPerson::OPERATIONS;
        let fault = |field: &str, fault: String| Err((field.to_owned(), fault));
        if self.operations.is_empty() {
            return fault("operations", format!("name at least one of {}", known.join(", ")));
        }
        if let Some(other) = self.operations.iter().find(|name| !known.contains(&name.as_str())) {
            return fault("operations", format!("{other:?} is not one of {}", known.join(", ")));
        }
        let above_total = match self.above_total.map(|total| Decimal::from_str_exact(&total)).transpose() {
            Ok(limit) if limit.is_none_or(|limit| !limit.is_sign_negative()) => limit,
            _ => return fault("above-total", "must be an amount in quotes, such as \"1000.00\"".to_owned()),
        };
        if self.above_orders.is_some() && (above_total.is_some() || !self.workflows.is_empty()) {
            let text = "is for batches, whose orders are not known before: leave out above-total and workflows";
            return fault("above-orders", text.to_owned());
        }
        let Ok(approver @ (Role::Operator | Role::Auditor | Role::Admin)) = self.approver.parse() else {
            return fault("approver", format!("{:?} is not one of operator, auditor, admin", self.approver));
        };
        let hours = self.expires_hours.unwrap_or(EXPIRES_HOURS);
        if !(1..=MAX_EXPIRES_HOURS).contains(&hours) {
            return fault("expires-hours", format!("must be 1 to {MAX_EXPIRES_HOURS}"));
        }
        Ok(SecondPersonRule {
            operations: self.operations.into_iter().collect(),
            workflows: self.workflows,
            above_total,
            above_orders: self.above_orders,
            approver,
            expires: Duration::from_hours(hours.into()),
        })
    }
}

impl WrittenIssuer {
    fn console_client(&self, name: &str) -> Result<Option<ConsoleIssuer>, Fault> {
        let Some(client_id) = self.console_client_id.clone() else { return Ok(None) };
        if client_id.is_empty() || client_id.chars().any(char::is_control) {
            return Err((format!("issuers.{name}.console-client-id"), "it must not be empty".to_owned()));
        }
        let (name, url, scope) = (name.to_owned(), self.url.clone(), self.console_scope.clone());
        Ok(Some(ConsoleIssuer { name, url, client_id, scope }))
    }

    fn checked(self, name: String) -> Result<Issuer, Fault> {
        let at = |field: &str| format!("issuers.{name}.{field}");
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_name) {
            let fault = format!("a name has 1 to {MAX_NAME} letters, digits, '-', '_' and '.'");
            return Err((format!("issuers.{name}"), fault));
        }
        if name == CERTIFICATE {
            let fault = "choose another name: clients with a certificate are called NAME@certificate".to_owned();
            return Err((format!("issuers.{name}"), fault));
        }
        check_url(&self.url).map_err(|fault| (at("url"), fault))?;
        if self.audiences.is_empty() {
            return Err((at("audiences"), "name at least one value of aud that means this service".to_owned()));
        }
        let algorithms = match self.algorithms {
            None => ALGORITHMS.to_vec(),
            Some(names) => {
                let read = names.iter().map(|name| algorithm(name)).collect::<Result<Vec<_>, _>>();
                read.map_err(|fault| (at("algorithms"), fault))?
            }
        };
        let leeway_seconds = self.leeway_seconds.unwrap_or(LEEWAY);
        if leeway_seconds > MAX_LEEWAY {
            return Err((at("leeway-seconds"), format!("at most {MAX_LEEWAY} are allowed")));
        }
        let mut roles = BTreeMap::new();
        for (value, given) in self.roles {
            let given = read_roles(&given).map_err(|fault| (at(&format!("roles.{value}")), fault.to_string()))?;
            roles.insert(value, given);
        }
        let role_claim = self.role_claim.split('.').map(str::to_owned).collect();
        Ok(Issuer { name, url: self.url, audiences: self.audiences, algorithms, leeway_seconds, role_claim, roles })
    }
}

/// The keys of an issuer must not be changed on their way.
fn check_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("it is not a URL: {error}"))?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    if !is_safe {
        return Err("it must be https:// (or http:// with a loopback host)".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("it must have no query, fragment, user or password".to_owned());
    }
    Ok(())
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    let known = ALGORITHMS.into_iter().find(|algorithm| format!("{algorithm:?}") == name);
    known.ok_or_else(|| {
        let names = ALGORITHMS.map(|algorithm| format!("{algorithm:?}"));
        format!("{name:?} is not allowed; allowed are {}", names.join(", "))
    })
}

fn admin_key(file: &Path) -> Result<ApiKey, String> {
    let text = in_file(file).map_err(|fault| format!("{}: it {fault}", file.display()))?;
    ApiKey::parse(text.expose_secret().trim())
        .ok_or_else(|| format!("{}: it has no API key: make one with tenuto key generate", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [issuers.company]
        url = "https://login.example/realms/shop"
        audiences = ["tenuto"]
        role-claim = "realm_access.roles"
        [issuers.company.roles]
        desk = ["operator", "viewer"]
        pay = ["participant:payments"]
        [client-certificates]
        "payments.internal" = ["participant:payments", "auditor"]
        [[second-person]]
        operations = ["cancel", "skip"]
        workflows = ["wholesale"]
        above-total = "1000.50"
        [[second-person]]
        operations = ["retry"]
        above-orders = 20
        approver = "admin"
        expires-hours = 8
    "#;

    fn fault(text: &str) -> String {
        checked(Path::new("access.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn a_file_names_issuers_and_what_their_roles_mean() {
        let config = checked(Path::new("access.toml"), GOOD).unwrap();
        let [issuer] = &config.issuers[..] else { panic!("{config:?}") };
        assert_eq!((issuer.name.as_str(), issuer.leeway_seconds), ("company", LEEWAY));
        assert_eq!(issuer.algorithms, ALGORITHMS);
        assert_eq!(issuer.role_claim, ["realm_access", "roles"]);
        assert_eq!(issuer.roles["pay"], [Role::Participant("payments".to_owned())]);
        assert_eq!(config.console, []);
        let certified = &config.certificates["payments.internal"];
        assert_eq!(certified.name, "payments.internal@certificate");
        assert_eq!(certified.roles, [Role::Participant("payments".to_owned()), Role::Auditor].into());
        assert!(!certified.on_behalf_of);
    }

    #[test]
    fn a_file_says_which_operations_a_second_person_has_to_approve() {
        let rules = checked(Path::new("access.toml"), GOOD).unwrap().second_person;
        let cancel = rules.of_order("cancel", "wholesale", Decimal::new(100_051, 2)).unwrap();
        assert_eq!((&cancel.approver, cancel.expires), (&Role::Operator, Duration::from_hours(24)));
        assert_eq!(rules.of_order("cancel", "wholesale", Decimal::new(100_050, 2)), None);
        let retry = rules.of_batch("retry", 21).unwrap();
        assert_eq!((&retry.approver, retry.expires), (&Role::Admin, Duration::from_hours(8)));
    }

    #[test]
    fn an_issuer_that_knows_the_console_is_where_people_sign_in() {
        let text = GOOD.replace("role-claim", "console-client-id = \"console\"\nrole-claim");
        let config = checked(Path::new("access.toml"), &text).unwrap();
        let (name, url) = ("company".to_owned(), "https://login.example/realms/shop".to_owned());
        let (client_id, scope) = ("console".to_owned(), "openid".to_owned());
        assert_eq!(config.console, [ConsoleIssuer { name, url, client_id, scope }]);
        assert!(fault(&text.replace("\"console\"", "\"\"")).contains("issuers.company.console-client-id"));
    }

    #[test]
    fn what_is_wrong_in_a_file_is_said_with_its_place() {
        for (from, to, named) in [
            ("https://login", "http://login", "issuers.company.url: it must be https://"),
            ("https://login", "https://u:p@login", "issuers.company.url: it must have no query"),
            ("https://login.example/realms/shop", "login", "issuers.company.url: it is not a URL"),
            ("[\"tenuto\"]", "[]", "issuers.company.audiences: name at least one"),
            ("\"operator\"", "\"root\"", "issuers.company.roles.desk: \"root\" is not a role"),
            (
                "role-claim",
                "algorithms = [\"HS256\"]\nrole-claim",
                "issuers.company.algorithms: \"HS256\" is not allowed",
            ),
            (
                "role-claim",
                "algorithms = [\"none\"]\nrole-claim",
                "issuers.company.algorithms: \"none\" is not allowed",
            ),
            ("role-claim", "leeway-seconds = 301\nrole-claim", "issuers.company.leeway-seconds: at most 300"),
            ("role-claim", "rol-claim", "unknown field `rol-claim`"),
            ("issuers.company", "issuers.\"a b\"", "issuers.a b: a name has"),
            ("issuers.company", "issuers.certificate", "issuers.certificate: choose another name"),
            ("payments.internal", "", "client-certificates.\"\": a name has 1 to 255"),
            ("payments.internal", "a\\u0000b", "client-certificates.\"a\\0b\": a name has"),
            ("\"auditor\"", "\"root\"", "client-certificates.\"payments.internal\": \"root\" is not a role"),
            ("[\"retry\"]", "[\"retry\", \"note\"]", "second-person 2: operations: \"note\" is not one of cancel"),
            ("[\"retry\"]", "[]", "second-person 2: operations: name at least one of cancel"),
            ("1000.50", "many", "second-person 1: above-total: must be an amount"),
            ("above-orders = 20", "above-orders = 20\nabove-total = \"1\"", "second-person 2: above-orders: is for"),
            ("approver = \"admin\"", "approver = \"shop\"", "second-person 2: approver: \"shop\" is not one of"),
            ("expires-hours = 8", "expires-hours = 0", "second-person 2: expires-hours: must be 1 to 720"),
            ("[issuers.company]", "admin-key-file = \"/nowhere\"\n[issuers.company]", "admin-key-file: /nowhere"),
        ] {
            let text = GOOD.replace(from, to);
            assert_ne!(text, GOOD, "{from}");
            assert!(fault(&text).contains(named), "{named}: {}", fault(&text));
        }
    }

    #[test]
    fn the_file_in_the_book_can_be_used() {
        let page = include_str!("../../../docs/platform/access.md");
        let text = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let text = text.replacen("admin-key-file", "# admin-key-file", 1);
        let config = checked(Path::new("access.toml"), &text).unwrap();
        assert_eq!((config.issuers.len(), config.certificates.len()), (1, 1));
    }

    #[test]
    fn two_issuers_have_two_urls() {
        let of_issuer = GOOD.split("[client-certificates]").next().unwrap();
        let twice = format!("{GOOD}{}", of_issuer.replace("company", "other"));
        assert!(fault(&twice).contains("is the issuer company already"), "{}", fault(&twice));
    }
}
