//! Copies of the keys: what an export reads and an import adds. A key is never overwritten, and one
//! that was destroyed stays so.

use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::{DateTime, Utc};
use domain::order::CustomerKey;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use views::customer_keys::{self, CustomerKeyRow};

/// Keys read at once.
const PAGE: i64 = 500;

/// A key as a copy has it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptKey {
    /// Its id.
    pub id: Uuid,
    /// The shop's id of the customer.
    pub customer_id: String,
    /// Base64; `None`: it was destroyed.
    pub secret: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was destroyed.
    pub destroyed_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for KeptKey {
    /// The key itself is not to get into anybody's logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What became of imported keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// They were missing, and are there now.
    pub added: u64,
    /// They were there already.
    pub known: u64,
    /// They were destroyed since they were exported, and stay so.
    pub destroyed: u64,
}

/// Why keys were not imported. The pages before are.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The database has another key under that id.
    #[error("key {0} is another key in the database: nothing was overwritten")]
    Differs(Uuid),
    /// It cannot be a key.
    #[error("key {0} cannot be used: its secret must be 32 bytes in Base64, and be missing where it was destroyed")]
    Unusable(Uuid),
}

/// The keys after one of them, in the order of their ids. None: there are no more.
pub async fn keys_after(pool: &PgPool, after: Option<Uuid>) -> Result<Vec<KeptKey>, sqlx::Error> {
    let rows = customer_keys::after(pool, after, PAGE).await?;
    let kept = |row: CustomerKeyRow| KeptKey {
        id: row.id,
        customer_id: row.customer_id,
        secret: row.secret.map(|secret| BASE64_STANDARD.encode(secret)),
        created_at: row.created_at,
        destroyed_at: row.destroyed_at,
    };
    Ok(rows.into_iter().map(kept).collect())
}

/// Adds those of these keys that are missing, all or none.
pub async fn import_keys(pool: &PgPool, keys: &[KeptKey]) -> Result<Imported, ImportError> {
    let mut imported = Imported::default();
    let mut transaction = pool.begin().await?;
    for key in keys {
        import(&mut transaction, key, &mut imported).await?;
    }
    transaction.commit().await?;
    Ok(imported)
}

async fn import(db: &mut PgConnection, key: &KeptKey, imported: &mut Imported) -> Result<(), ImportError> {
    let unusable = || ImportError::Unusable(key.id);
    let secret =
        key.secret.as_ref().map(|secret| BASE64_STANDARD.decode(secret)).transpose().map_err(|_| unusable())?;
    if secret.is_none() != key.destroyed_at.is_some()
        || secret.as_ref().is_some_and(|secret| secret.len() != CustomerKey::LENGTH)
    {
        return Err(unusable());
    }
    let here = customer_keys::by_id(&mut *db, key.id).await?;
    match here {
        Some((customer, _)) if customer != key.customer_id => Err(ImportError::Differs(key.id)),
        Some((_, Some(here))) if secret.as_ref().is_some_and(|secret| *secret != here) => {
            Err(ImportError::Differs(key.id))
        }
        Some((_, None)) if secret.is_some() => {
            imported.destroyed += 1;
            Ok(())
        }
        Some(_) => {
            imported.known += 1;
            Ok(())
        }
        None => {
            imported.added += 1;
            let row = CustomerKeyRow {
                id: key.id,
                customer_id: key.customer_id.clone(),
                secret,
                created_at: key.created_at,
                destroyed_at: key.destroyed_at,
            };
            Ok(customer_keys::add(db, &row).await?)
        }
    }
}
