//! The keys of customers' personal data: a port. They are kept outside the log, so that they can be destroyed.

mod copy;
mod table;

use std::fmt;

use domain::order::CustomerKey;
use futures::future::BoxFuture;
use uuid::Uuid;

pub use copy::{ImportError, Imported, KeptKey, import_keys, keys_after};
pub use table::KeyTable;

/// Where keys are kept.
pub trait CustomerKeys: fmt::Debug + Send + Sync + 'static {
    /// The key that a customer's new orders are sealed with: made and kept, durably, if there is none.
    fn of_customer<'a>(&'a self, customer: &'a str) -> BoxFuture<'a, Result<CustomerKey, KeyError>>;

    /// The key of that id; `None`: it was destroyed. One that is missing is an error.
    fn by_id(&self, id: Uuid) -> BoxFuture<'_, Result<Option<CustomerKey>, KeyError>>;

    /// Destroys every key that the customer ever had. Says how many there had been, destroyed before or not.
    fn destroy<'a>(&'a self, customer: &'a str) -> BoxFuture<'a, Result<u64, KeyError>>;
}

impl KeyError {
    /// Whether the database could not be asked.
    fn is_outage(&self) -> bool {
        matches!(self, KeyError::Away(error) if views::is_outage(error))
    }
}

/// There is no key to be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not now: nobody can look.
    #[error("the keys of personal data cannot be read: {0}")]
    Away(#[from] sqlx::Error),
    /// Neither the key is there nor a record that it was destroyed: the keys were lost, or are older ones.
    #[error(
        "key {0} of its personal data is missing; bring the keys back (tenuto keys import), cancel the order, or forget its customer"
    )]
    Missing(Uuid),
    /// What is there is none.
    #[error("the keys of personal data are not as they should be: {0}")]
    Wrong(String),
}
