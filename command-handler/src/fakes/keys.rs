//! Keys of customers, which are there until a test loses them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use domain::order::CustomerKey;
use futures::future::{BoxFuture, FutureExt, ready};
use uuid::Uuid;

use crate::keys::{CustomerKeys, KeyError};
use crate::lock::lock;

/// A key for every customer, each derived from the customer's id and from how often the customer
/// was forgotten, or the key was lost.
#[derive(Debug, Default)]
pub struct SimulatedKeys(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    forgotten: BTreeMap<String, u64>,
    keys: BTreeMap<Uuid, Option<CustomerKey>>,
    lost: Vec<CustomerKey>,
    looked_up: usize,
}

impl SimulatedKeys {
    /// Loses the key of a customer, as a restore from an older backup does: the customer gets
    /// another key. Returns whether there was one.
    pub fn lose(&self, customer: &str) -> bool {
        let mut kept = lock(&self.0);
        let key = kept.key_of(customer);
        if !matches!(kept.keys.remove(&key.id()), Some(Some(_))) {
            return false;
        }
        kept.lost.push(key);
        *kept.forgotten.entry(customer.to_owned()).or_default() += 1;
        true
    }

    /// How often a key was looked up so far.
    pub fn looked_up(&self) -> usize {
        lock(&self.0).looked_up
    }

    /// Restores all lost keys, and keeps those that customers have by now.
    pub fn bring_back(&self) {
        let mut kept = lock(&self.0);
        for key in std::mem::take(&mut kept.lost) {
            kept.keys.insert(key.id(), Some(key));
        }
    }
}

impl Kept {
    fn key_of(&self, customer: &str) -> CustomerKey {
        let number = self.forgotten.get(customer).copied().unwrap_or_default();
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{number} {customer}").as_bytes());
        CustomerKey::new(id, &[*id.as_bytes(), *id.as_bytes()].concat()).unwrap()
    }
}

impl CustomerKeys for SimulatedKeys {
    fn of_customer<'a>(&'a self, customer: &'a str) -> BoxFuture<'a, Result<CustomerKey, KeyError>> {
        let mut kept = lock(&self.0);
        let key = kept.key_of(customer);
        kept.keys.insert(key.id(), Some(key.clone()));
        ready(Ok(key)).boxed()
    }

    fn by_id(&self, id: Uuid) -> BoxFuture<'_, Result<Option<CustomerKey>, KeyError>> {
        let mut kept = lock(&self.0);
        kept.looked_up += 1;
        let known = kept.keys.get(&id).cloned();
        ready(known.ok_or(KeyError::Missing(id))).boxed()
    }

    fn destroy<'a>(&'a self, customer: &'a str) -> BoxFuture<'a, Result<u64, KeyError>> {
        let mut kept = lock(&self.0);
        let key = kept.key_of(customer);
        let before = kept.keys.insert(key.id(), None);
        *kept.forgotten.entry(customer.to_owned()).or_default() += 1;
        ready(Ok(u64::from(before.is_some()))).boxed()
    }
}
