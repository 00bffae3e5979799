use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::proof::seal::SealFault;

fn leaves(count: u8) -> Vec<Hash> {
    (0..count).map(|n| Hash::of(&[&[n]])).collect()
}

/// A chain of seals.
fn three() -> [Seal; 3] {
    let first = seal(sealed(&leaves(1), 10), None, 1);
    let second = seal(sealed(&leaves(2), 20), Some(&first), 1);
    let third = seal(sealed(&leaves(3), 20), Some(&second), 2);
    [first, second, third]
}

#[test]
fn seals_form_a_chain_and_none_can_be_removed() {
    let [first, second, third] = three();
    assert_eq!(first.follows(None), Ok(()));
    assert_eq!(second.follows(Some(&first)), Ok(()));
    assert_eq!(third.follows(Some(&second)), Ok(()));
    assert_eq!(third.follows(Some(&first)), Err(SealFault::Number { expected: 1, found: 2 }));
    assert_eq!(second.follows(None), Err(SealFault::Number { expected: 0, found: 1 }));
    let another = seal(sealed(&leaves(9), 10), None, 1);
    assert_eq!(second.follows(Some(&another)), Err(SealFault::Previous));
    let earlier = seal(sealed(&leaves(2), 9), Some(&first), 1);
    assert_eq!(earlier.follows(Some(&first)), Err(SealFault::Backwards));
    let elsewhere = Sealed { log: Hash::of(&[b"elsewhere"]), ..sealed(&leaves(2), 20) };
    let elsewhere = seal(elsewhere, Some(&first), 1);
    assert_eq!(elsewhere.follows(Some(&first)), Err(SealFault::OtherLog { found: elsewhere.log }));
}

#[test]
fn a_seal_is_read_as_it_was_written() {
    for seal in three() {
        let read = Seal::read(seal.to_json().as_bytes()).unwrap();
        assert_eq!((read.hash(), read.event_id()), (seal.hash(), seal.event_id()));
        assert_eq!(read, seal);
        let spaced: Value = serde_json::from_str(&seal.to_json()).unwrap();
        assert_eq!(Seal::read(format!("{spaced:#}").as_bytes()), Ok(seal));
    }
}

#[test]
fn the_key_must_be_the_expected_one() {
    let [first, _, third] = three();
    let keys = [first.public_key];
    assert_eq!(first.verify_key(&keys), Ok(()));
    assert_eq!(third.verify_key(&keys), Err(SealFault::Key { found: third.public_key.to_string() }));
    assert_eq!(third.verify_key(&[first.public_key, third.public_key]), Ok(()));
    assert_eq!(third.verify_key(&[]), Ok(()));
}

/// Another value of the same kind.
fn altered(value: &Value, nudge: u64) -> Value {
    match value {
        Value::Number(number) => json!(number.as_u64().unwrap() + 1 + nudge),
        Value::String(text) => {
            let mut text = text.clone().into_bytes();
            let at = usize::try_from(nudge).unwrap() % text.len();
            text[at] = if text[at] == b'1' { b'2' } else { b'1' };
            json!(String::from_utf8(text).unwrap())
        }
        Value::Null => json!(Hash::of(&[]).to_string()),
        other => panic!("no field of a seal is {other}"),
    }
}

proptest! {
    #[test]
    fn no_altered_seal_is_accepted(which in 0_usize..3, field: prop::sample::Index, nudge in 0_u64..1000, remove: bool) {
        let seal = three()[which].clone();
        let mut value: Value = serde_json::from_str(&seal.to_json()).unwrap();
        let names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        prop_assert_eq!(names.len(), 12);
        let name = field.get(&names);
        if remove {
            value.as_object_mut().unwrap().remove(name);
        } else {
            value[name] = altered(&value[name], nudge);
        }
        let read = Seal::read(value.to_string().as_bytes());
        // A time can be written in two ways, but the hash covers one canonical form.
        prop_assert!(read.is_err() || read.as_ref() == Ok(&seal), "{}: {:?}", name, read);
    }

    #[test]
    fn nothing_else_is_read_as_a_seal(bytes: Vec<u8>, text in ".{0,60}") {
        prop_assert!(Seal::read(&bytes).is_err());
        prop_assert!(Seal::read(text.as_bytes()).is_err());
    }
}

#[test]
fn a_seal_of_a_later_version_is_refused_with_both_versions() {
    let mut value: Value = serde_json::from_str(&three()[0].to_json()).unwrap();
    value["version"] = 2.into();
    let refusal = Seal::read(value.to_string().as_bytes()).unwrap_err().to_string();
    assert!(refusal.contains("it is written in version 2, and this version of Tenuto knows 1"), "{refusal}");
}

#[test]
fn the_event_id_of_a_seal_is_unique_and_stable() {
    let [first, second, third] = three().map(|seal| seal.event_id());
    assert_eq!([first, second, third], three().map(|seal| seal.event_id()));
    assert!(first != second && second != third && first != third);
}
