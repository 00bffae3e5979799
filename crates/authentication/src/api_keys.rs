//! API keys: looked up in Postgres, and remembered for a few seconds, so that a revoked key is
//! refused everywhere within ten.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use access::api_key::{ApiKey, SecretHash};
use access::{NotAuthenticated, Principal, Role};
use chrono::{DateTime, TimeDelta, Utc};
use lru::LruCache;
use sqlx::PgPool;
use tokio::time::{Instant, timeout};
use views::api_keys::{ApiKeyRow, by_id, touch};

/// How long a look-up counts.
const FRESH_FOR: Duration = Duration::from_secs(5);
/// How many look-ups are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).expect("it is not zero");
/// The time limit for a look-up.
const PATIENCE: Duration = Duration::from_secs(3);
/// How exact the time of the last use is.
const LAST_USE: TimeDelta = TimeDelta::minutes(1);
/// The name of the principal of the key in the configuration.
const ADMIN: &str = "admin";

/// The API keys of a system.
#[derive(Debug)]
pub struct ApiKeys {
    kept: Arc<Kept>,
    /// The key in the configuration.
    admin: Option<(SecretHash, Arc<Principal>)>,
}

/// The keys that Postgres keeps.
#[derive(Debug)]
struct Kept {
    pool: OnceLock<PgPool>,
    known: Mutex<LruCache<String, Known>>,
}

/// A look-up. `None`: there is no such key.
#[derive(Debug, Clone)]
struct Known {
    key: Option<Arc<Key>>,
    at: Instant,
}

/// A key as it is kept.
#[derive(Debug)]
struct Key {
    hash: SecretHash,
    principal: Arc<Principal>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl ApiKeys {
    /// Knows the key of the configuration, and no other one yet.
    pub fn new(admin: Option<ApiKey>) -> Self {
        let kept = Kept { pool: OnceLock::new(), known: Mutex::new(LruCache::new(REMEMBERED)) };
        Self { kept: Arc::new(kept), admin: None }.with_admin(admin)
    }

    /// The same, with another key of the configuration.
    pub fn with_admin(&self, admin: Option<ApiKey>) -> Self {
        let principal = Principal { name: ADMIN.to_owned(), roles: [Role::Admin].into(), on_behalf_of: true };
        let admin = admin.map(|key| (key.hash(), Arc::new(principal)));
        Self { kept: self.kept.clone(), admin }
    }

    /// From now on, keys are looked up in this database.
    pub fn look_up_in(&self, pool: PgPool) {
        // A second database is a mistake of the program, and the first one stays.
        let _ = self.kept.pool.set(pool).is_ok();
    }

    /// The principal of a key.
    pub async fn principal(&self, key: &ApiKey) -> Result<Arc<Principal>, NotAuthenticated> {
        if let Some((hash, principal)) = &self.admin
            && key.is(hash)
        {
            return Ok(principal.clone());
        }
        let known = match self.remembered(key.id()) {
            Some(known) => known,
            None => self.look_up(key.id()).await?,
        };
        let kept = known.key.filter(|kept| key.is(&kept.hash)).ok_or_else(|| rejected("the API key is not known"))?;
        if kept.revoked_at.is_some() {
            return Err(rejected("the API key was revoked"));
        }
        if kept.expires_at.is_some_and(|at| at <= Utc::now()) {
            return Err(rejected("the API key has expired"));
        }
        Ok(kept.principal.clone())
    }

    fn remembered(&self, id: &str) -> Option<Known> {
        let mut known = self.kept.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(id).filter(|known| known.at.elapsed() < FRESH_FOR).cloned()
    }

    async fn look_up(&self, id: &str) -> Result<Known, NotAuthenticated> {
        let pool = self.kept.pool.get().ok_or_else(|| unavailable("this instance is starting"))?;
        let at = Instant::now();
        let row = match timeout(PATIENCE, by_id(pool, id)).await {
            Ok(Ok(row)) => row,
            Ok(Err(error)) => {
                tracing::warn!(%error, "an API key could not be looked up");
                return Err(unavailable("Postgres is away"));
            }
            Err(_) => return Err(unavailable("Postgres does not answer")),
        };
        if let Some(row) = &row
            && row.last_used_at.is_none_or(|used| Utc::now() - used > LAST_USE)
        {
            note_use(pool.clone(), id.to_owned());
        }
        let key = row.map(|row| read(row).map(Arc::new)).transpose()?;
        let found = Known { key, at };
        self.kept.known.lock().unwrap_or_else(PoisonError::into_inner).put(id.to_owned(), found.clone());
        Ok(found)
    }
}

/// Nothing waits for this.
fn note_use(pool: PgPool, id: String) {
    tokio::spawn(async move {
        if let Err(error) = touch(&pool, &id).await {
            tracing::debug!(%error, "the last use of an API key could not be noted");
        }
    });
}

fn read(row: ApiKeyRow) -> Result<Key, NotAuthenticated> {
    let unreadable = |what: &str| {
        tracing::error!(key = row.id, "an API key in the database cannot be read: its {what} is wrong");
        unavailable("the record of the API key cannot be read")
    };
    let hash = SecretHash::of(&row.secret_hash).ok_or_else(|| unreadable("hash"))?;
    let roles = row.roles.iter().map(|role| role.parse()).collect::<Result<BTreeSet<Role>, _>>();
    let roles = roles.map_err(|error| unreadable(&error.to_string()))?;
    let principal = Arc::new(Principal { name: row.name, roles, on_behalf_of: row.on_behalf_of });
    Ok(Key { hash, principal, expires_at: row.expires_at, revoked_at: row.revoked_at })
}

fn rejected(reason: &str) -> NotAuthenticated {
    NotAuthenticated::Rejected(reason.to_owned())
}

fn unavailable(reason: &str) -> NotAuthenticated {
    NotAuthenticated::Unavailable(reason.to_owned())
}
