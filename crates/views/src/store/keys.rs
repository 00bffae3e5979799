//! The keys of the personal data in the views.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ids::OrderId;
use domain::order::{Contents, CustomerKey, PersonalData, Sealed};
use sqlx::FromRow;
use uuid::Uuid;

use super::Store;
use crate::error::ViewsError;
use crate::master_key;
use crate::rows::OrderRow;

/// A row of `customer_keys`.
#[derive(Debug, Clone, FromRow)]
struct KeyRow {
    id: Uuid,
    secret: Option<Vec<u8>>,
    destroyed_at: Option<DateTime<Utc>>,
}

/// The keys of some orders.
#[derive(Debug, Default)]
pub struct Keys(HashMap<Uuid, KeyRow>);

/// Personal data of an order, as far as they can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Personal {
    /// The data that identify a person.
    pub data: PersonalData,
    /// When the sealed part was erased.
    pub erased_at: Option<DateTime<Utc>>,
    /// Whether the sealed part cannot be read because its key is missing.
    pub key_missing: bool,
}

impl Store {
    /// Those of these keys that the database has.
    pub async fn keys(&self, ids: &[Uuid]) -> Result<Keys, ViewsError> {
        let rows: Vec<KeyRow> =
            sqlx::query_as("SELECT id, secret, destroyed_at FROM all_customer_keys WHERE id = ANY($1)")
                .bind(ids)
                .fetch_all(&mut *self.snapshot().await?)
                .await?;
        Ok(Keys(rows.into_iter().map(|row| (row.id, row)).collect()))
    }
}

impl Keys {
    /// The personal data of an order: all of them if its key is here, otherwise the readable part.
    pub fn open(&self, row: &OrderRow) -> Result<Personal, ViewsError> {
        let readable = || PersonalData {
            name: row.customer_name.clone(),
            email: row.customer_email.clone(),
            ship_to: row.ship_to.as_ref().map(|to| to.0.clone()),
        };
        let Some(sealed) = &row.sealed else {
            return Ok(Personal { data: readable(), erased_at: None, key_missing: false });
        };
        match self.0.get(&sealed.key) {
            Some(KeyRow { secret: None, destroyed_at, .. }) => {
                Ok(Personal { data: readable(), erased_at: *destroyed_at, key_missing: false })
            }
            Some(KeyRow { id, secret: Some(secret), .. }) => {
                let Contents { personal, .. } = opened(*id, secret, &row.id, sealed)?;
                Ok(Personal { data: personal, erased_at: None, key_missing: false })
            }
            // The order is shown without them. Readiness and audit report the missing keys.
            None => Ok(Personal { data: readable(), erased_at: None, key_missing: true }),
        }
    }
}

fn opened(key: Uuid, secret: &[u8], order: &str, sealed: &Sealed) -> Result<Contents, ViewsError> {
    let secret = master_key::in_use().open(key, secret).map_err(|error| unreadable(order, &error))?;
    let key = CustomerKey::new(key, &secret).map_err(|error| unreadable(order, &error))?;
    let id = OrderId::new(order).map_err(|error| unreadable(order, &error))?;
    key.open(&id, sealed).map_err(|error| unreadable(order, &error))
}

fn unreadable(order: &str, why: &dyn std::fmt::Display) -> ViewsError {
    tracing::error!(order, %why, "personal data cannot be read");
    ViewsError::Sealed
}
