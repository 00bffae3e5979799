//! Authenticates the callers of a role: with tokens of OIDC issuers, with API keys, and with
//! certificates of clients, which the listener verifies.
//!
//! A file says which issuers are accepted and what their roles mean ([`config`]). The keys of an
//! issuer are fetched by `OpenID` Connect Discovery ([`issuer`]), and API keys are looked up in
//! Postgres ([`api_keys`]). What is accepted is decided without IO, in the crate `access`.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod api_keys;
mod config;
mod issuer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use access::api_key::ApiKey;
use access::token::Unverified;
use access::{Authenticate, Bearer, Checking, ConsoleIssuer, NotAuthenticated, Principal, SecondPerson};
use clap::Args;
use futures::future::join_all;
use live::{Change, Live};
use sqlx::PgPool;
use tokio::runtime::Handle;

use api_keys::ApiKeys;
pub use config::ConfigError;
use config::{Config, read};
pub use issuer::FetchError;
use issuer::Source;

/// How the callers of a role are authenticated.
#[derive(Debug, Clone, Default, Args)]
pub struct AuthenticationArgs {
    /// A TOML file that says whose tokens are accepted, and what their roles mean. Without it,
    /// callers are not authenticated
    #[arg(long, env = "TENUTO_ACCESS", value_name = "FILE", help_heading = live::RELOADED)]
    access: Option<PathBuf>,
}

impl AuthenticationArgs {
    /// What authenticates callers by this configuration. On a runtime, the keys of the issuers are
    /// fetched at once: an issuer that does not answer is logged with the start.
    pub fn begin(&self) -> Result<Authentication, ConfigError> {
        let authentication = self.read()?;
        if let Some(authenticator) = &authentication.0 {
            fetch_first(authenticator.rules.get().sources.clone());
        }
        Ok(authentication)
    }

    /// Whether callers are to be authenticated.
    pub fn is_given(&self) -> bool {
        self.access.is_some()
    }

    /// The same, and nothing is fetched yet.
    pub fn read(&self) -> Result<Authentication, ConfigError> {
        let config = self.access.as_deref().map(read).transpose()?;
        Ok(Authentication(config.map(Authenticator::of).transpose()?))
    }
}

fn fetch_first(sources: Vec<Arc<Source>>) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(async move {
            join_all(sources.iter().map(|source| source.fetch_first())).await;
        });
    }
}

/// What authenticates the callers of a role, if they are authenticated.
#[derive(Debug, Clone)]
pub struct Authentication(Option<Arc<Authenticator>>);

impl Authentication {
    /// For the gate of a listener; `None`: callers are not authenticated.
    pub fn of_gate(&self) -> Option<Arc<dyn Authenticate>> {
        self.0.clone().map(|authenticator| -> Arc<dyn Authenticate> { authenticator })
    }

    /// How many keys each issuer gives now, by its name in the configuration.
    pub async fn keys_of_issuers(&self) -> Vec<(String, Result<usize, FetchError>)> {
        let Some(authenticator) = &self.0 else { return Vec::new() };
        let rules = authenticator.rules.get();
        let fetched = rules
            .issuers
            .iter()
            .zip(&rules.sources)
            .map(async |(issuer, source)| (issuer.name.clone(), source.fetch().await.map(|keys| keys.keys.len())));
        join_all(fetched).await
    }

    /// Where people sign in to the console.
    pub fn console_issuers(&self) -> Live<Vec<ConsoleIssuer>> {
        self.0.as_ref().map(|authenticator| authenticator.console.clone()).unwrap_or_default()
    }

    /// Reads the access file again, or another one. Whether callers are authenticated stays.
    pub fn prepare(&self, args: &AuthenticationArgs) -> Result<Change, ConfigError> {
        match (&self.0, args.access.as_deref()) {
            (None, None) => Ok(Change::default()),
            (Some(authenticator), Some(file)) => authenticator.prepare(read(file)?),
            (Some(_), None) | (None, Some(_)) => Ok(Change::default().later("access")),
        }
    }

    /// Which operations a second person has to approve: none while callers are not authenticated,
    /// because then there are no two persons.
    pub fn second_person(&self) -> SecondPerson {
        self.0.as_ref().map(|authenticator| authenticator.second_person.clone()).unwrap_or_default()
    }

    /// From now on, API keys are looked up in this database.
    pub fn look_up_keys_in(&self, pool: &PgPool) {
        if let Some(authenticator) = &self.0 {
            authenticator.rules.get().api_keys.look_up_in(pool.clone());
        }
    }
}

/// Authenticates callers.
#[derive(Debug)]
struct Authenticator {
    rules: Live<Rules>,
    console: Live<Vec<ConsoleIssuer>>,
    second_person: SecondPerson,
}

/// Who is accepted.
#[derive(Debug)]
struct Rules {
    issuers: Vec<access::token::Issuer>,
    /// In the order of the issuers.
    sources: Vec<Arc<Source>>,
    api_keys: ApiKeys,
    /// The principals of clients, by a name in their certificates.
    certificates: BTreeMap<String, Arc<Principal>>,
}

impl Authenticator {
    fn of(
        Config { issuers, console, admin_key, certificates, second_person }: Config,
    ) -> Result<Arc<Self>, ConfigError> {
        let sources = issuers.iter().map(|issuer| Ok(Arc::new(Source::of(&issuer.url)?)));
        let sources = sources.collect::<Result<_, ConfigError>>()?;
        let rules = Live::new(Rules { issuers, sources, api_keys: ApiKeys::new(admin_key), certificates });
        Ok(Arc::new(Self { rules, console: Live::new(console), second_person }))
    }

    /// An issuer that stays keeps the keys that were fetched: it may not answer now.
    fn prepare(
        &self,
        Config { issuers, console, admin_key, certificates, second_person }: Config,
    ) -> Result<Change, ConfigError> {
        let (before, mut new, mut sources) = (self.rules.get(), Vec::new(), Vec::new());
        for issuer in &issuers {
            let known = before.sources.iter().find(|source| source.issuer() == issuer.url);
            let source = match known {
                Some(source) => source.clone(),
                None => Arc::new(Source::of(&issuer.url)?),
            };
            if known.is_none() {
                new.push(source.clone());
            }
            sources.push(source);
        }
        let rules = Rules { issuers, sources, api_keys: before.api_keys.with_admin(admin_key), certificates };
        let change = Change::default().set(&self.rules, rules).set(&self.console, console);
        Ok(change.and(self.second_person.prepare(&second_person)).then(|| fetch_first(new)))
    }

    async fn token(&self, text: &str) -> Result<Arc<Principal>, NotAuthenticated> {
        let (token, rules) = (Unverified::read(text).map_err(rejected)?, self.rules.get());
        let issuer = token.issuer(&rules.issuers).map_err(rejected)?;
        let index = rules.issuers.iter().position(|known| known.name == issuer.name);
        let source = index.and_then(|index| rules.sources.get(index));
        let source = source.ok_or_else(|| NotAuthenticated::Unavailable("the issuer has no source".to_owned()))?;
        let verified = source.with_keys(|keys| token.verified(issuer, keys, now())).await?;
        verified.map(Arc::new).map_err(rejected)
    }
}

impl Authenticate for Authenticator {
    fn check<'a>(&'a self, bearer: Bearer<'a>) -> Checking<'a> {
        let text = bearer.reveal();
        Box::pin(async move {
            match ApiKey::parse(text) {
                Some(key) => self.rules.get().api_keys.principal(&key).await,
                None => self.token(text).await,
            }
        })
    }

    /// The first name that is a principal's counts.
    fn certified(&self, names: &[String]) -> Option<Arc<Principal>> {
        let rules = self.rules.get();
        names.iter().find_map(|name| rules.certificates.get(name)).cloned()
    }

    fn knows_certificates(&self) -> bool {
        !self.rules.get().certificates.is_empty()
    }
}

fn rejected(reason: access::token::Rejected) -> NotAuthenticated {
    NotAuthenticated::Rejected(reason.to_string())
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
