use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::proof::bundle::{self, Bundle, BundleFault, BundledEvent, SealedPart};
use crate::proof::chain::Flaw;
use crate::proof::merkle::{Inclusion, leaf};
use crate::proof::seal::SealFault;

/// A bundle of an order of six events. The seal covers four of them, among other orders.
pub fn bundle() -> Bundle {
    let (order, before, after) = (id("10248"), id("10247"), id("7-bis"));
    let events = history(&order, 6);
    let heads = [(&before, 3), (&order, 4), (&after, 1)];
    let leaves = heads.map(|(id, count)| leaf(id, &head(id, &history(id, count))));
    Bundle {
        kind: bundle::Kind::OrderBundle,
        version: bundle::VERSION,
        order: order.clone(),
        events: events
            .iter()
            .map(|event| BundledEvent {
                revision: event.revision,
                position: event.raw().position,
                recorded_at: DateTime::UNIX_EPOCH,
                id: event.id,
                event_type: event.event_type.clone(),
                data: event.data.as_slice().into(),
                metadata: event.metadata.as_slice().into(),
            })
            .collect(),
        sealed: Some(SealedPart {
            revision: 3,
            inclusion: Inclusion::prove(&leaves, 1).unwrap(),
            seal: seal(sealed(&leaves, 40), None, 1),
        }),
    }
}

#[test]
fn a_bundle_is_valid_and_reports_how_many_events_the_seal_covers() {
    let bundle = bundle();
    let text = serde_json::to_vec(&bundle).unwrap();
    let read = Bundle::read(&text).unwrap();
    assert_eq!(read, bundle);
    let checked = read.check(&[key(1).public_key()]);
    assert_eq!((checked.events, checked.sealed_events, checked.faults), (6, 4, vec![]));
    let unsealed = Bundle { sealed: None, ..bundle }.check(&[]);
    assert_eq!((unsealed.sealed_events, unsealed.faults), (0, vec![]));
}

#[test]
fn another_key_is_named() {
    let checked = bundle().check(&[key(2).public_key()]);
    let found = key(1).public_key().to_string();
    assert_eq!(checked.faults, [BundleFault::Seal(SealFault::Key { found })]);
}

#[test]
fn bytes_that_are_not_text_survive_a_round_trip() {
    for bytes in [b"\xff\x00".as_slice(), b"a\0b", b"", "ü".as_bytes()] {
        let mut bundle = bundle();
        bundle.events[0].data = bytes.into();
        assert_eq!(Bundle::read(&serde_json::to_vec(&bundle).unwrap()), Ok(bundle));
    }
}

#[test]
fn a_rewritten_history_is_not_in_the_seals_tree() {
    let mut bundle = bundle();
    let context = Context { correlation_id: "10248".to_owned(), ..Context::default() };
    let paused = Event::OrderPaused(crate::order::OrderPaused { at: DateTime::UNIX_EPOCH });
    let mut hash = wire::CHAIN_START.to_owned();
    for event in &mut bundle.events {
        let encoded = wire::encode(&paused, event.id, &hash, &context).unwrap();
        hash = encoded.hash;
        event.event_type = encoded.event_type.to_owned();
        (event.data, event.metadata) = (encoded.data.as_slice().into(), encoded.metadata.as_slice().into());
    }
    let faults = bundle.check(&[]).faults;
    assert!(matches!(&faults[..], [BundleFault::Proof { .. }]), "{faults:?}");
}

#[test]
fn events_cut_off_before_the_sealed_revision_are_reported_and_later_ones_cannot_be() {
    let mut cut = bundle();
    cut.events.truncate(3);
    let faults = cut.check(&[]).faults;
    let is_cut = |fault: &BundleFault| matches!(fault, BundleFault::Chain(fault) if fault.flaw == Flaw::Cut { to: 3 });
    assert!(faults.iter().any(is_cut), "{faults:?}");
    let mut behind = bundle();
    behind.events.truncate(4);
    assert_eq!(behind.check(&[]).faults, []);
}

/// Alters one thing in a value. Returns whether it did.
fn alter(value: &mut Value, place: prop::sample::Index) -> bool {
    fn leaves(value: &Value) -> usize {
        match value {
            Value::Object(fields) => fields.values().map(leaves).sum(),
            Value::Array(items) => items.iter().map(leaves).sum(),
            _ => 1,
        }
    }
    fn at(value: &mut Value, mut left: usize) -> bool {
        let inner: Vec<&mut Value> = match value {
            Value::Object(fields) => fields.values_mut().collect(),
            Value::Array(items) => items.iter_mut().collect(),
            Value::String(text) if !text.is_empty() => {
                let last = text.pop().unwrap_or_default();
                text.push(if last == '1' { '2' } else { '1' });
                return true;
            }
            Value::Number(number) => {
                *value = (number.as_u64().unwrap_or_default() + 1).into();
                return true;
            }
            _ => return false,
        };
        for item in inner {
            let inside = leaves(item);
            if left < inside {
                return at(item, left);
            }
            left -= inside;
        }
        false
    }
    let count = leaves(value);
    at(value, place.index(count))
}

proptest! {
    #[test]
    fn no_altered_bundle_holds(place: prop::sample::Index) {
        let original = bundle();
        let mut value = serde_json::to_value(&original).unwrap();
        prop_assume!(alter(&mut value, place));
        let Ok(read) = Bundle::read(value.to_string().as_bytes()) else { return Ok(()) };
        // The hash covers neither: the server states them.
        let mut said = original.clone();
        for (event, other) in said.events.iter_mut().zip(&read.events) {
            (event.position, event.recorded_at) = (other.position, other.recorded_at);
        }
        prop_assert!(read == said || !read.check(&[]).faults.is_empty(), "{}", value);
    }

    #[test]
    fn nothing_else_is_read_as_a_bundle(bytes: Vec<u8>) {
        prop_assert!(Bundle::read(&bytes).is_err());
    }
}

#[test]
fn a_bundle_of_a_later_version_is_refused_with_both_versions() {
    let mut value = serde_json::to_value(bundle()).unwrap();
    value["version"] = 2.into();
    let refusal = Bundle::read(value.to_string().as_bytes()).unwrap_err();
    assert_eq!(refusal, "it is written in version 2, and this version of Tenuto knows 1");
}

#[test]
fn a_bundle_with_neither_events_nor_a_seal_proves_nothing() {
    let empty = Bundle { events: Vec::new(), sealed: None, ..bundle() };
    assert_eq!(empty.check(&[]).faults.len(), 1);
    let unsealed = Bundle { sealed: None, ..bundle() };
    assert_eq!(unsealed.check(&[]).faults, []);
}
