//! Seals personal data with a customer's key. After the key is destroyed, no one can read any copy.
//!
//! Sealed data leave a mask: placeholders for names, mail address and address, which show that a
//! value exists; and the region and the country, which identify no person. The cipher is
//! AES-256-GCM (NIST SP 800-38D). The order's id is the associated data, so the data of one order
//! do not open in another.

use std::borrow::Cow;
use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::content::PersonalData;
use super::event::OrderPlaced;
use super::personal::{masked, unmasked};
use super::sealed::Sealed;
use crate::ids::OrderId;

/// The sealed part of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The data that identify a person.
    #[serde(flatten)]
    pub personal: PersonalData,
    /// The fingerprint of the request. It covers the personal data, so it would confirm a correct
    /// guess of them.
    pub fingerprint: String,
}

/// The key of a customer's personal data.
#[derive(Clone)]
pub struct CustomerKey {
    id: Uuid,
    key: LessSafeKey,
    /// For digests, which are compared and never read.
    digests: hmac::Key,
}

/// The length of a key, in bytes.
const LENGTH: usize = 32;

/// A key of a wrong length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key has {LENGTH} bytes, not {0}")]
pub struct NoKey(usize);

/// Why sealed data cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// They were sealed with another key.
    #[error("personal data of this order are under key {sealed}, not {given}")]
    OtherKey {
        /// The key that sealed them.
        sealed: Uuid,
        /// The given key.
        given: Uuid,
    },
    /// They were changed, or sealed for another order.
    #[error("personal data of this order were changed since they were sealed, or sealed for another order")]
    Changed,
}

impl CustomerKey {
    /// The length in bytes.
    pub const LENGTH: usize = LENGTH;

    /// A key from its id and its bytes.
    pub fn new(id: Uuid, bytes: &[u8]) -> Result<Self, NoKey> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| NoKey(bytes.len()))?;
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), b"digests");
        let digests = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        Ok(Self { id, key: LessSafeKey::new(key), digests })
    }

    /// The id, which does not reveal the key.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// HMAC-SHA-256 (Base64) of a text: it distinguishes texts, and without the key no one can test
    /// a guess.
    pub fn digest(&self, text: &str) -> String {
        BASE64_STANDARD.encode(hmac::sign(&self.digests, text.as_bytes()))
    }

    /// Seals data for an order. The nonce is the last 12 bytes of the event's id, which is unique;
    /// in versions 4 and 7 they are mostly random.
    fn seal(&self, order: &OrderId, contents: &Contents, event: Uuid) -> Result<Sealed, serde_json::Error> {
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&event.as_bytes()[16 - NONCE_LEN..]);
        let mut encrypted = serde_json::to_vec(contents)?;
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), associated(order), &mut encrypted)
            .map_err(|_| serde::ser::Error::custom("the personal data are too long"))?;
        let text = BASE64_STANDARD.encode([nonce.as_slice(), &encrypted].concat());
        Ok(Sealed { key: self.id, text })
    }

    /// Opens what was sealed for an order.
    pub fn open(&self, order: &OrderId, sealed: &Sealed) -> Result<Contents, OpenError> {
        if sealed.key != self.id {
            return Err(OpenError::OtherKey { sealed: sealed.key, given: self.id });
        }
        let mut text = BASE64_STANDARD.decode(&sealed.text).map_err(|_| OpenError::Changed)?;
        let (nonce, encrypted) = text.split_at_mut_checked(NONCE_LEN).ok_or(OpenError::Changed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Changed)?;
        let opened = self.key.open_in_place(nonce, associated(order), encrypted).map_err(|_| OpenError::Changed)?;
        serde_json::from_slice(opened).map_err(|_| OpenError::Changed)
    }
}

impl OrderPlaced {
    /// The same order with its personal data sealed, for the event with this id. Sealed data stay
    /// as they are.
    pub fn sealed_with(&self, key: &CustomerKey, event: Uuid) -> Result<Self, serde_json::Error> {
        if self.sealed.is_some() {
            return Ok(self.clone());
        }
        let contents = Contents { personal: self.personal.clone(), fingerprint: self.fingerprint.clone() };
        let sealed = Some(key.seal(&self.order_id, &contents, event)?);
        Ok(Self { personal: masked(&self.personal), fingerprint: String::new(), sealed, ..self.clone() })
    }

    /// Opens the personal data, if they are sealed.
    pub fn open(&mut self, key: &CustomerKey) -> Result<(), OpenError> {
        if let Some(sealed) = &self.sealed {
            Contents { personal: self.personal, fingerprint: self.fingerprint } = key.open(&self.order_id, sealed)?;
            self.sealed = None;
        }
        Ok(())
    }

    /// The part of the personal data that needs no key. Of sealed data, this is what identifies no
    /// person.
    pub fn readable(&self) -> Cow<'_, PersonalData> {
        if self.sealed.is_some() { Cow::Owned(unmasked(&self.personal)) } else { Cow::Borrowed(&self.personal) }
    }
}

impl fmt::Debug for CustomerKey {
    /// The key itself must not appear in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomerKey").field("id", &self.id).finish_non_exhaustive()
    }
}

fn associated(order: &OrderId) -> Aad<&[u8]> {
    Aad::from(order.as_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::content::Address;
    use super::*;
    use crate::wire::golden_tests::placed;

    fn key(id: u128) -> CustomerKey {
        CustomerKey::new(Uuid::from_u128(id), &[7; 32]).unwrap()
    }

    #[test]
    fn sealed_data_are_readable_with_their_key_and_masked_without_it() {
        let order = placed();
        let mut sealed = order.sealed_with(&key(1), Uuid::from_u128(9)).unwrap();
        assert_eq!(sealed.personal.email.as_deref(), Some("⟦customer.email⟧"));
        assert_eq!(
            sealed.readable().into_owned(),
            PersonalData {
                name: None,
                email: None,
                ship_to: Some(Address { country: Some("France".into()), ..Address::default() })
            }
        );
        assert_eq!(sealed.sealed_with(&key(2), Uuid::from_u128(9)).unwrap(), sealed);
        sealed.open(&key(1)).unwrap();
        assert_eq!(sealed, order);
    }

    #[test]
    fn sealed_data_open_only_unchanged_with_their_key_in_their_order() {
        let order = placed();
        let sealed = order.sealed_with(&key(1), Uuid::from_u128(9)).unwrap();
        let open = |change: &dyn Fn(&mut OrderPlaced), key: CustomerKey| {
            let mut changed = sealed.clone();
            change(&mut changed);
            changed.open(&key).map(|()| changed.personal)
        };
        let none = |_: &mut OrderPlaced| {};
        let other = CustomerKey::new(Uuid::from_u128(1), &[8; 32]).unwrap();
        assert_eq!(open(&none, other), Err(OpenError::Changed));
        let (sealed_with, given) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(open(&none, key(2)), Err(OpenError::OtherKey { sealed: sealed_with, given }));
        let elsewhere = |placed: &mut OrderPlaced| placed.order_id = OrderId::new("10249").unwrap();
        assert_eq!(open(&elsewhere, key(1)), Err(OpenError::Changed));
        for text in ["", "AAAA", "not base64", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let cut = |placed: &mut OrderPlaced| placed.sealed.as_mut().unwrap().text = text.to_owned();
            assert_eq!(open(&cut, key(1)), Err(OpenError::Changed), "{text}");
        }
        assert_eq!(CustomerKey::new(Uuid::nil(), &[0; 31]).unwrap_err(), NoKey(31));
        assert!(!format!("{:?}", key(1)).contains("7, 7"));
    }

    #[test]
    fn digests_differ_for_other_texts_and_for_other_keys() {
        let other = CustomerKey::new(Uuid::from_u128(1), &[8; 32]).unwrap();
        assert_eq!(key(1).digest("ann"), key(1).digest("ann"));
        assert_eq!(BASE64_STANDARD.decode(key(1).digest("ann")).unwrap().len(), 32);
        assert_ne!(key(1).digest("ann"), key(1).digest("bob"));
        assert_ne!(key(1).digest("ann"), other.digest("ann"));
    }
}
