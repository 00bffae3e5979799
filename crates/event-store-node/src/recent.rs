//! The newest events in memory, so that readers near the end of the log do not go to disk.
//!
//! This is only a cache: the storage has everything, and a reader that misses an event here reads
//! it there.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use super::storage::Event;

const MAX_EVENTS: usize = 8192;
const MAX_BYTES: usize = 16 << 20;

#[derive(Default)]
pub(crate) struct Recent {
    tail: RwLock<Tail>,
}

/// Events with consecutive positions.
#[derive(Default)]
struct Tail {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
}

impl Recent {
    /// Adds events. Their positions must follow the events here.
    pub(crate) fn extend(&self, events: impl Iterator<Item = Arc<Event>>) {
        let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            tail.bytes += event.size();
            tail.events.push_back(event);
        }
        while tail.events.len() > MAX_EVENTS || tail.bytes > MAX_BYTES {
            let Some(oldest) = tail.events.pop_front() else { break };
            tail.bytes -= oldest.size();
        }
    }

    /// Drops everything up to a position, because some of it was removed.
    pub(crate) fn forget_through(&self, position: u64) {
        let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
        while let Some(oldest) = tail.events.pop_front_if(|oldest| oldest.position <= position) {
            tail.bytes -= oldest.size();
        }
    }

    /// Up to `max` events after a position. `None`: the next event is no longer here.
    pub(crate) fn after(&self, position: u64, max: usize) -> Option<Vec<Arc<Event>>> {
        let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
        let first = tail.events.front()?.position;
        let skip = usize::try_from(position.checked_add(1)?.checked_sub(first)?).ok()?;
        Some(tail.events.iter().skip(skip).take(max).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::StoredEvent;

    fn event(position: u64, data: usize) -> Arc<Event> {
        Arc::new(Event { position, record: StoredEvent { data: vec![0; data].into(), ..StoredEvent::default() } })
    }

    fn positions(events: Option<Vec<Arc<Event>>>) -> Option<Vec<u64>> {
        events.map(|events| events.iter().map(|event| event.position).collect())
    }

    #[test]
    fn a_reader_gets_the_next_events_or_has_to_look_elsewhere() {
        let recent = Recent::default();
        assert_eq!(positions(recent.after(0, 10)), None);
        recent.extend((5..9).map(|position| event(position, 1)));
        assert_eq!(positions(recent.after(3, 10)), None);
        assert_eq!(positions(recent.after(4, 2)), Some(vec![5, 6]));
        assert_eq!(positions(recent.after(7, 10)), Some(vec![8]));
        assert_eq!(positions(recent.after(8, 10)), Some(vec![]));
        assert_eq!(positions(recent.after(u64::MAX, 10)), None);
    }

    #[test]
    fn removed_events_are_dropped_with_all_before_them() {
        let recent = Recent::default();
        recent.extend((5..9).map(|position| event(position, 1)));
        recent.forget_through(6);
        assert_eq!(positions(recent.after(5, 10)), None);
        assert_eq!(positions(recent.after(6, 10)), Some(vec![7, 8]));
        recent.forget_through(u64::MAX);
        recent.extend((9..11).map(|position| event(position, 1)));
        assert_eq!(positions(recent.after(8, 10)), Some(vec![9, 10]));
    }

    #[test]
    fn it_is_bounded_in_events_and_in_bytes() {
        let recent = Recent::default();
        recent.extend((1..=20_000).map(|position| event(position, 1)));
        assert_eq!(recent.after(11_808, 10_000).unwrap().len(), MAX_EVENTS);
        recent.extend((20_001..=20_100).map(|position| event(position, 1 << 20)));
        assert!(recent.tail.read().unwrap().bytes <= MAX_BYTES);
    }
}
