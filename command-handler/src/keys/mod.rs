//! The keys of customers' personal data: a port. Keys are stored outside the log, so that they can
//! be destroyed.

mod copy;
mod table;

use std::fmt;

use domain::order::CustomerKey;
use futures::future::BoxFuture;
use uuid::Uuid;

pub use copy::{ImportError, Imported, KeptKey, import_keys, keys_after};
pub use table::KeyTable;

/// The store of the keys.
pub trait CustomerKeys: fmt::Debug + Send + Sync + 'static {
    /// The key that seals a customer's new orders. If the customer has no key, this creates one and
    /// stores it durably.
    fn of_customer<'a>(&'a self, customer: &'a str) -> BoxFuture<'a, Result<CustomerKey, KeyError>>;

    /// The key of this id; `None`: it was destroyed. A missing key is an error.
    fn by_id(&self, id: Uuid) -> BoxFuture<'_, Result<Option<CustomerKey>, KeyError>>;

    /// Destroys every key that the customer ever had. Returns their number, with those that were
    /// destroyed before.
    fn destroy<'a>(&'a self, customer: &'a str) -> BoxFuture<'a, Result<u64, KeyError>>;
}

impl KeyError {
    /// Whether the database did not answer.
    fn is_outage(&self) -> bool {
        matches!(self, KeyError::Away(error) if views::is_outage(error))
    }
}

/// Why no key is available.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The database cannot be read now.
    #[error("the keys of personal data cannot be read: {0}")]
    Away(#[from] sqlx::Error),
    /// The table has neither the key nor a record that it was destroyed: the keys were lost, or
    /// restored from an older copy.
    #[error(
        "key {0} of its personal data is missing; bring the keys back (tenuto keys import), cancel the order, or forget its customer"
    )]
    Missing(Uuid),
    /// The stored bytes are not a key.
    #[error("the keys of personal data are not as they should be: {0}")]
    Wrong(String),
}
