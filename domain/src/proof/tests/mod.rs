//! Histories in Tenuto's form, tampered with in many ways.

mod bundles;
mod chains;
mod golden;
mod seals;

use chrono::{DateTime, TimeDelta};
use uuid::Uuid;

use super::Hash;
use super::chain::{Head, RawEvent, follow};
use super::keys::SigningKey;
use super::merkle::root;
use super::seal::{Seal, Sealed};
use crate::ids::OrderId;
use crate::order::{Event, StatusChanged};
use crate::wire::{self, Context};

/// An event with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub revision: u64,
    pub id: Uuid,
    pub event_type: String,
    pub data: Vec<u8>,
    pub metadata: Vec<u8>,
}

impl Stored {
    pub fn raw(&self) -> RawEvent<'_> {
        let Self { revision, id, event_type, data, metadata } = self;
        RawEvent { revision: *revision, position: 10 * revision + 1, id: *id, event_type, data, metadata }
    }
}

pub fn raw(events: &[Stored]) -> Vec<RawEvent<'_>> {
    events.iter().map(Stored::raw).collect()
}

pub fn id(text: &str) -> OrderId {
    OrderId::new(text).unwrap()
}

/// This many chained events of an order.
pub fn history(order: &OrderId, count: u64) -> Vec<Stored> {
    let mut hash = wire::CHAIN_START.to_owned();
    let context = Context { correlation_id: order.to_string(), actor: Some("änn".to_owned()), ..Context::default() };
    (0..count)
        .map(|revision| {
            let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(revision.cast_signed());
            let event = StatusChanged { status: format!("Status{revision}"), step: "ship".to_owned(), at };
            let id = Uuid::from_u128(u128::from(revision) << 64 | u128::from(order.as_str().len() as u64));
            let encoded = wire::encode(&Event::StatusChanged(event), id, &hash, &context).unwrap();
            hash = encoded.hash;
            let event_type = encoded.event_type.to_owned();
            Stored { revision, id, event_type, data: encoded.data, metadata: encoded.metadata }
        })
        .collect()
}

/// The head after all events.
pub fn head(order: &OrderId, events: &[Stored]) -> Head {
    events.iter().fold(None, |head, event| Some(follow(order, head.as_ref(), &event.raw()).0)).unwrap()
}

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_pem(SigningKey::pem_of(&[seed; 32]).as_bytes()).unwrap()
}

pub fn sealed(leaves: &[Hash], position: u64) -> Sealed {
    Sealed { log: Hash::of(&[b"log"]), position, orders: leaves.len() as u64, faulty_orders: 0, root: root(leaves) }
}

pub fn seal(sealed: Sealed, previous: Option<&Seal>, seed: u8) -> Seal {
    Seal::sign(sealed, previous, DateTime::UNIX_EPOCH, &key(seed))
}
