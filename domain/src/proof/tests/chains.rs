use proptest::prelude::*;

use super::*;
use crate::proof::chain::{Flaw, check};

fn flaws(events: &[Stored]) -> Vec<(u64, Flaw)> {
    check(&id("10248"), &raw(events), None).into_iter().map(|fault| (fault.revision, fault.flaw)).collect()
}

/// The events with revisions in the given order.
fn renumbered(mut events: Vec<Stored>) -> Vec<Stored> {
    for (revision, event) in (0..).zip(&mut events) {
        event.revision = revision;
    }
    events
}

fn ours(count: u64) -> Vec<Stored> {
    history(&id("10248"), count)
}

#[test]
fn what_was_written_holds() {
    for count in 0..5 {
        assert_eq!(flaws(&ours(count)), []);
    }
}

#[test]
fn two_swapped_events_and_the_one_after_them_are_reported() {
    let mut events = ours(6);
    events.swap(2, 3);
    let moved = |after| Flaw::Moved { after: Some(after) };
    assert_eq!(flaws(&renumbered(events)), [(2, moved(3)), (3, moved(1)), (4, moved(2))]);
}

#[test]
fn the_first_two_swapped_events_are_both_reported() {
    let mut events = ours(3);
    events.swap(0, 1);
    let moved = |after| Flaw::Moved { after };
    assert_eq!(flaws(&renumbered(events)), [(0, moved(Some(1))), (1, moved(None)), (2, moved(Some(0)))]);
}

#[test]
fn a_missing_event_is_reported_with_its_revision() {
    let mut events = ours(5);
    events.remove(2);
    assert_eq!(flaws(&events), [(3, Flaw::Missing { from: 2, to: 2 })]);
    assert_eq!(flaws(&events[2..]), [(3, Flaw::Missing { from: 0, to: 2 })]);
}

#[test]
fn a_removed_event_is_detected_even_if_the_others_are_renumbered() {
    let mut events = ours(5);
    events.remove(2);
    assert_eq!(flaws(&renumbered(events)), [(2, Flaw::Changed)]);
    let without_the_first = renumbered(ours(5).split_off(1));
    assert_eq!(flaws(&without_the_first), [(0, Flaw::Changed)]);
}

#[test]
fn a_repeated_event_is_reported() {
    let mut events = ours(4);
    events.insert(2, events[1].clone());
    assert_eq!(flaws(&events), [(1, Flaw::Repeated)]);
    assert_eq!(flaws(&renumbered(events))[0], (2, Flaw::Moved { after: Some(0) }));
}

#[test]
fn an_event_of_another_order_is_foreign() {
    let mut events = ours(3);
    events.push(history(&id("10249"), 4).remove(3));
    assert_eq!(flaws(&events), [(3, Flaw::Foreign { belongs_to: "10249".to_owned() })]);
}

#[test]
fn an_event_without_a_hash_is_reported() {
    for metadata in ["", "{}", r#"{"$correlationId":"10248"}"#, r#"{"$correlationId":"10248","hash":"AB"}"#, "\u{ff}"] {
        let mut events = ours(4);
        events[1].metadata = metadata.into();
        let found = flaws(&events);
        assert!(matches!(found.as_slice(), [(1, Flaw::Unreadable { .. })]), "{metadata}: {found:?}");
    }
    // Readers disagree about which of two counts.
    let mut events = ours(2);
    let text = String::from_utf8(events[1].metadata.clone()).unwrap();
    events[1].metadata = text.replacen('{', r#"{"actor":"bob","#, 1).into();
    assert!(matches!(&flaws(&events)[..], [(1, Flaw::Unreadable { reason })] if reason.contains("more than once")));
}

#[test]
fn only_a_known_head_detects_events_cut_off_at_the_end() {
    let order = id("10248");
    let events = ours(6);
    let known = head(&order, &events);
    let cut = &events[..4];
    assert_eq!(flaws(cut), []);
    let faults = check(&order, &raw(cut), Some(&known));
    assert_eq!((faults[0].revision, &faults[0].flaw), (3, &Flaw::Cut { to: 5 }));
    assert_eq!(check(&order, &[], Some(&known))[0].flaw, Flaw::Cut { to: 5 });
    // More events than the known ones are not a fault.
    assert_eq!(check(&order, &raw(&events), Some(&head(&order, cut))), []);
}

#[test]
fn a_known_head_detects_a_rewritten_history() {
    let order = id("10248");
    let mut events = ours(6);
    let known = head(&order, &events);
    // An attacker who can compute hashes: another order of the events, chained again.
    events = history(&order, 7);
    assert_eq!(check(&order, &raw(&events), Some(&known)), []);
    let mut forged = events.clone();
    let context = Context { correlation_id: order.to_string(), ..Context::default() };
    let paused = Event::OrderPaused(crate::order::OrderPaused { at: DateTime::UNIX_EPOCH });
    let mut hash = head(&order, &forged[..3]).hash.unwrap().to_string();
    for event in &mut forged[3..] {
        let encoded = wire::encode(&paused, event.id, &hash, &context).unwrap();
        hash = encoded.hash;
        (event.event_type, event.data, event.metadata) =
            (encoded.event_type.to_owned(), encoded.data, encoded.metadata);
    }
    assert_eq!(flaws(&forged), []);
    let faults = check(&order, &raw(&forged), Some(&known));
    assert_eq!((faults[0].revision, &faults[0].flaw), (5, &Flaw::Rewritten { known: known.hash.unwrap() }));
}

/// The part of an event to tamper with.
#[derive(Debug, Clone, Copy)]
enum Part {
    Id,
    Type,
    Data,
    Metadata,
}

proptest! {
    #[test]
    fn no_byte_of_an_event_can_be_changed_unnoticed(
        count in 1_u64..8,
        at: prop::sample::Index,
        part in prop::sample::select(vec![Part::Id, Part::Type, Part::Data, Part::Metadata]),
        byte: prop::sample::Index,
        flip in 1_u8..=255,
    ) {
        let mut events = ours(count);
        let index = at.index(events.len());
        let event = &mut events[index];
        let flipped = |bytes: &mut [u8]| bytes[byte.index(bytes.len())] ^= flip;
        match part {
            Part::Id => {
                let mut bytes = *event.id.as_bytes();
                flipped(&mut bytes);
                event.id = Uuid::from_bytes(bytes);
            }
            Part::Type => {
                let mut bytes = event.event_type.clone().into_bytes();
                flipped(&mut bytes);
                event.event_type = String::from_utf8_lossy(&bytes).into_owned();
            }
            Part::Data => flipped(&mut event.data),
            Part::Metadata => flipped(&mut event.metadata),
        }
        let found = flaws(&events);
        prop_assert_eq!(found[0].0, index as u64, "{:?}", found);
        // The next event does not follow from a changed hash.
        prop_assert!(found.len() <= 2, "{:?}", found);
    }

    #[test]
    fn no_event_can_be_removed_moved_or_inserted_unnoticed(
        count in 3_u64..10,
        from: prop::sample::Index,
        to: prop::sample::Index,
        kind in 0..3,
        renumber: bool,
    ) {
        let mut events = ours(count);
        // Only a known head shows that the last event was removed.
        let from = from.index(events.len() - 1);
        match kind {
            0 => drop(events.remove(from)),
            1 => {
                let event = events.remove(from);
                let to = to.index(events.len());
                prop_assume!(to != from);
                events.insert(to, event);
            }
            _ => events.insert(to.index(events.len()), history(&id("7"), count).remove(from)),
        }
        let events = if renumber { renumbered(events) } else { events };
        prop_assert!(!flaws(&events).is_empty());
    }

    #[test]
    fn any_content_of_the_log_is_reported_without_a_panic(
        events in prop::collection::vec((any::<u64>(), any::<u128>(), ".{0,9}", any::<Vec<u8>>(), any::<Vec<u8>>()), 0..6),
    ) {
        let events: Vec<Stored> = events
            .into_iter()
            .map(|(revision, id, event_type, data, metadata)| {
                Stored { revision: revision >> 5, id: Uuid::from_u128(id), event_type, data, metadata }
            })
            .collect();
        prop_assert_eq!(flaws(&events).len(), events.len());
    }
}

#[test]
fn a_moved_first_event_is_distinguished_from_a_changed_one() {
    let mut events = ours(5);
    let first = events[0].clone();
    events[3] = Stored { revision: 3, ..first };
    assert!(flaws(&events).contains(&(3, Flaw::Moved { after: None })), "{:?}", flaws(&events));
}
