//! Events of one lane are handled one after another.

use std::collections::{HashMap, VecDeque};

/// The lanes in which an item is being handled, with the items that wait behind it.
#[derive(Debug)]
pub(crate) struct Lanes<T>(HashMap<String, VecDeque<T>>);

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Lanes<T> {
    /// Returns the item if its lane is free. Otherwise the item waits.
    pub fn enter(&mut self, lane: &str, item: T) -> Option<T> {
        if let Some(waiting) = self.0.get_mut(lane) {
            waiting.push_back(item);
            return None;
        }
        self.0.insert(lane.to_owned(), VecDeque::new());
        Some(item)
    }

    /// The item of the lane is handled: returns the next one.
    pub fn leave(&mut self, lane: &str) -> Option<T> {
        let next = self.0.get_mut(lane)?.pop_front();
        if next.is_none() {
            self.0.remove(lane);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_one_lane_take_turns_and_lanes_do_not_wait_for_each_other() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.enter("a", 1), Some(1));
        assert_eq!(lanes.enter("a", 2), None);
        assert_eq!(lanes.enter("b", 3), Some(3));
        assert_eq!(lanes.leave("b"), None);
        assert_eq!(lanes.leave("a"), Some(2));
        assert_eq!(lanes.leave("a"), None);
        assert_eq!(lanes.enter("a", 4), Some(4));
    }
}
