//! Counts what came of orders, and keeps a few of each kind to be told of.

use std::collections::BTreeMap;

use domain::backtest::{Difference, Trial, UnknownKind, Verdict};

use super::trial::Outcome;

/// How many orders of a kind are told of.
pub const EXAMPLES: usize = 3;

/// What came of orders.
#[derive(Debug, Default)]
pub struct Tally {
    /// Tried, and come out the same.
    pub same: u64,
    /// Those that differ, by the step at which they part; none: at no step.
    pub differs: BTreeMap<Option<String>, Group<Difference>>,
    /// Those that cannot be known, by whom it is not known of, and why.
    pub unknown: BTreeMap<(String, UnknownKind), Group<()>>,
    /// Those whose history cannot be worked with, by what is wrong.
    pub broken: BTreeMap<String, Group<()>>,
    /// How many of each were supposed by a rule.
    pub supposed: BTreeMap<String, u64>,
}

/// Some orders of a kind.
#[derive(Debug)]
pub struct Group<T> {
    pub orders: u64,
    /// Those with the least ids.
    pub examples: BTreeMap<String, T>,
}

impl<T> Default for Group<T> {
    fn default() -> Self {
        Self { orders: 0, examples: BTreeMap::new() }
    }
}

impl<T> Group<T> {
    fn note(&mut self, id: &str, example: T) {
        self.orders += 1;
        self.examples.insert(id.to_owned(), example);
        self.keep_few();
    }

    fn add(&mut self, other: Self) {
        self.orders += other.orders;
        self.examples.extend(other.examples);
        self.keep_few();
    }

    fn keep_few(&mut self) {
        while self.examples.len() > EXAMPLES {
            self.examples.pop_last();
        }
    }
}

impl Tally {
    /// Counts an order.
    pub fn note(&mut self, id: &str, outcome: Outcome) {
        let Trial { verdict, supposed } = match outcome {
            Outcome::PassedOver => return,
            Outcome::Broken(why) => return self.broken.entry(kind_of(&why)).or_default().note(id, ()),
            Outcome::Tried(trial) => trial,
        };
        for whom in supposed {
            *self.supposed.entry(whom).or_default() += 1;
        }
        match verdict {
            Verdict::Same => self.same += 1,
            Verdict::Differs(difference) => {
                self.differs.entry(difference.step.clone()).or_default().note(id, *difference);
            }
            Verdict::Unknown(unknown) => {
                // What is missing first is what the others may depend on.
                if let Some(first) = unknown.into_iter().next() {
                    self.unknown.entry((first.addressee, first.kind)).or_default().note(id, ());
                }
            }
        }
    }

    /// Takes in what others have counted.
    pub fn add(&mut self, other: Self) {
        self.same += other.same;
        other.differs.into_iter().for_each(|(step, group)| self.differs.entry(step).or_default().add(group));
        other.unknown.into_iter().for_each(|(of, group)| self.unknown.entry(of).or_default().add(group));
        other.broken.into_iter().for_each(|(why, group)| self.broken.entry(why).or_default().add(group));
        other.supposed.into_iter().for_each(|(whom, times)| *self.supposed.entry(whom).or_default() += times);
    }

    /// How many orders differ.
    pub fn differing(&self) -> u64 {
        self.differs.values().map(|group| group.orders).sum()
    }

    /// How many cannot be known, broken ones among them.
    pub fn unknowable(&self) -> u64 {
        let unknown = self.unknown.values().chain(self.broken.values());
        unknown.map(|group| group.orders).sum()
    }

    /// How many were tried.
    pub fn orders(&self) -> u64 {
        self.same + self.differing() + self.unknowable()
    }

    /// Whether some differ elsewhere than at these steps.
    pub fn differs_beside(&self, expected: &[String]) -> bool {
        self.differs.keys().any(|step| step.as_ref().is_none_or(|step| !expected.contains(step)))
    }

    /// Whether some cannot be known.
    pub fn is_unknown(&self) -> bool {
        self.unknowable() > 0
    }

    /// The counts.
    pub fn counts(&self) -> Counted {
        Counted { orders: self.orders(), differ: self.differing(), unknown: self.unknowable() }
    }
}

/// How many orders there were, and what came of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counted {
    orders: u64,
    differ: u64,
    unknown: u64,
}

impl Counted {
    /// For people.
    pub fn in_words(&self) -> String {
        let Self { orders, differ, unknown } = self;
        format!("{orders} orders: {differ} differ, {unknown} cannot be known")
    }
}

/// What is wrong, without the place, so that there are few kinds.
fn kind_of(why: &str) -> String {
    match why.strip_prefix("event ").and_then(|rest| rest.split_once(": ")) {
        Some((_, kind)) => kind.to_owned(),
        None => why.to_owned(),
    }
}
