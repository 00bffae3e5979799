//! Who ordered, and where it goes: personal data, which are opened only where they are asked for.

use std::sync::Arc;

use async_graphql::{ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use views::OrderRow;

use super::loaders::Loaders;

/// Who ordered.
pub struct Customer {
    row: Arc<OrderRow>,
    loaders: Arc<Loaders>,
}

/// Where an order goes. Of an order whose personal data were erased, country and region are left.
#[derive(SimpleObject)]
pub struct Address {
    name: Option<String>,
    street: Option<String>,
    city: Option<String>,
    region: Option<String>,
    postal_code: Option<String>,
    country: Option<String>,
}

impl Customer {
    /// Of that order.
    pub fn of(row: Arc<OrderRow>, loaders: Arc<Loaders>) -> Self {
        Self { row, loaders }
    }
}

/// Who ordered.
#[Object]
impl Customer {
    /// The shop's id.
    async fn id(&self) -> ID {
        self.row.customer_id.as_str().into()
    }

    async fn name(&self) -> Option<Result<String>> {
        let personal = self.loaders.personal(&self.row).await;
        personal.map(|personal| personal.data.name).map_err(Into::into).transpose()
    }

    async fn email(&self) -> Option<Result<String>> {
        let personal = self.loaders.personal(&self.row).await;
        personal.map(|personal| personal.data.email).map_err(Into::into).transpose()
    }

    /// Whether the personal data of this order cannot be read, although nobody erased them: their key is missing. Then name, mail
    /// address and address are null, and the order is held until the key is back, or until it is canceled.
    async fn key_missing(&self) -> Result<bool> {
        let personal = self.loaders.personal(&self.row).await;
        Ok(personal.map(|personal| personal.key_missing)?)
    }

    /// When the personal data of this order were erased.
    async fn erased_at(&self) -> Option<Result<DateTime<Utc>>> {
        let personal = self.loaders.personal(&self.row).await;
        personal.map(|personal| personal.erased_at).map_err(Into::into).transpose()
    }
}

impl From<domain::order::Address> for Address {
    fn from(address: domain::order::Address) -> Self {
        let domain::order::Address { name, street, city, region, postal_code, country } = address;
        Self { name, street, city, region, postal_code, country }
    }
}
