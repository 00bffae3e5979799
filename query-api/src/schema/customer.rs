//! The customer and the address of an order: personal data, which are opened only for a query that
//! reads them.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use views::OrderRow;

use super::loaders::Loaders;

/// The customer of an order.
pub struct Customer {
    row: Arc<OrderRow>,
    loaders: Arc<Loaders>,
}

/// The address of an order. After the personal data of the order were erased, only country and
/// region remain.
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
    /// The customer of this order.
    pub fn of(row: Arc<OrderRow>, loaders: Arc<Loaders>) -> Self {
        Self { row, loaders }
    }
}

/// The customer of an order.
#[Object]
impl Customer {
    /// The shop's id.
    async fn id(&self) -> ID {
        self.row.customer_id.as_str().into()
    }

    async fn name(&self, context: &Context<'_>) -> Option<Result<String>> {
        let personal = self.loaders.personal(context, &self.row).await;
        personal.map(|personal| personal.data.name).map_err(Into::into).transpose()
    }

    async fn email(&self, context: &Context<'_>) -> Option<Result<String>> {
        let personal = self.loaders.personal(context, &self.row).await;
        personal.map(|personal| personal.data.email).map_err(Into::into).transpose()
    }

    /// Whether the personal data of this order cannot be read because their key is missing,
    /// although they were not erased. Then name, mail address and address are null, and the order
    /// is held until the key is back, or until it is canceled.
    async fn key_missing(&self, context: &Context<'_>) -> Result<bool> {
        let personal = self.loaders.personal(context, &self.row).await;
        Ok(personal.map(|personal| personal.key_missing)?)
    }

    /// When the personal data of this order were erased.
    async fn erased_at(&self, context: &Context<'_>) -> Option<Result<DateTime<Utc>>> {
        let personal = self.loaders.personal(context, &self.row).await;
        personal.map(|personal| personal.erased_at).map_err(Into::into).transpose()
    }
}

impl From<domain::order::Address> for Address {
    fn from(address: domain::order::Address) -> Self {
        let domain::order::Address { name, street, city, region, postal_code, country } = address;
        Self { name, street, city, region, postal_code, country }
    }
}
