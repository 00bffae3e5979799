//! Counts the outcomes of orders, keeps a few orders of each kind as examples, and sums what orders
//! are worth that would end otherwise.

use std::collections::BTreeMap;

use domain::backtest::{Difference, Standing, Trial, UnknownKind, Verdict};
use rust_decimal::Decimal;

use super::outcome::{Outcome, Worth};

/// The number of examples of each kind.
pub const EXAMPLES: usize = 3;
/// The most reasons that are distinguished. Damaged events may give any number of them.
const MAX_REASONS: usize = 100;
/// The reason after the last one that is distinguished.
const OTHER_REASONS: &str = "other reasons";

/// The outcomes of orders.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many orders have the same outcome under the definition.
    pub same: u64,
    /// Orders that differ, by the first step that differs. `None`: at no step.
    pub differs: BTreeMap<Option<String>, Group<Difference>>,
    /// Orders whose outcome is not known, by the action that is not known, and why.
    pub unknown: BTreeMap<(String, UnknownKind), Group<()>>,
    /// Orders whose history cannot be read or decided, by the reason.
    pub broken: BTreeMap<String, Group<()>>,
    /// Orders that would end otherwise, by their ends.
    pub ends: BTreeMap<Ends, Stakes>,
    /// How many answers of each action came from a rule.
    pub supposed: BTreeMap<String, u64>,
}

/// How orders ended, and how they would end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ends {
    /// In the history.
    pub then: Standing,
    /// Under the definition.
    pub now: Standing,
}

/// How many orders there are, and what they are worth.
#[derive(Debug, Default)]
pub struct Stakes {
    /// How many.
    pub orders: u64,
    /// The sum of their totals, by currency.
    pub totals: BTreeMap<String, Decimal>,
}

impl Stakes {
    fn note(&mut self, Worth { total, currency }: Worth) {
        self.add(Self { orders: 1, totals: [(currency, total)].into() });
    }

    fn add(&mut self, other: Self) {
        self.orders += other.orders;
        for (currency, total) in other.totals {
            let sum = self.totals.entry(currency).or_default();
            *sum = sum.saturating_add(total);
        }
    }
}

/// The orders of a kind.
#[derive(Debug)]
pub struct Group<T> {
    /// How many there are.
    pub orders: u64,
    /// Those with the smallest ids.
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
        let (Trial { verdict, supposed }, worth) = match outcome {
            Outcome::PassedOver => return,
            Outcome::Broken(why) => return self.broken(kind_of(&why)).note(id, ()),
            Outcome::Tried(trial, worth) => (trial, worth),
        };
        for whom in supposed {
            *self.supposed.entry(whom).or_default() += 1;
        }
        match verdict {
            Verdict::Same => self.same += 1,
            Verdict::Differs(difference) => {
                let ends = Ends { then: difference.ended_then.clone(), now: difference.ended_now.clone() };
                if (&ends.then.status, ends.then.state) != (&ends.now.status, ends.now.state) {
                    self.ends.entry(ends).or_default().note(worth);
                }
                self.differs.entry(difference.step.clone()).or_default().note(id, *difference);
            }
            Verdict::Unknown(unknown) => {
                // The others may depend on the first.
                if let Some(first) = unknown.into_iter().next() {
                    self.unknown.entry((first.addressee, first.kind)).or_default().note(id, ());
                }
            }
        }
    }

    /// Adds another count.
    pub fn add(&mut self, other: Self) {
        self.same += other.same;
        other.differs.into_iter().for_each(|(step, group)| self.differs.entry(step).or_default().add(group));
        other.unknown.into_iter().for_each(|(of, group)| self.unknown.entry(of).or_default().add(group));
        other.broken.into_iter().for_each(|(why, group)| self.broken(why).add(group));
        other.ends.into_iter().for_each(|(ends, stakes)| self.ends.entry(ends).or_default().add(stakes));
        other.supposed.into_iter().for_each(|(whom, times)| *self.supposed.entry(whom).or_default() += times);
    }

    /// The orders whose history is broken for this reason.
    fn broken(&mut self, why: String) -> &mut Group<()> {
        let is_distinguished = self.broken.len() < MAX_REASONS || self.broken.contains_key(&why);
        self.broken.entry(if is_distinguished { why } else { OTHER_REASONS.to_owned() }).or_default()
    }

    /// How many orders differ.
    pub fn differing(&self) -> u64 {
        self.differs.values().map(|group| group.orders).sum()
    }

    /// How many orders have an outcome that is not known, or a history that cannot be read.
    pub fn unknowable(&self) -> u64 {
        let unknown = self.unknown.values().chain(self.broken.values());
        unknown.map(|group| group.orders).sum()
    }

    /// How many orders were tried.
    pub fn orders(&self) -> u64 {
        self.same + self.differing() + self.unknowable()
    }

    /// Whether some orders differ at other steps than these.
    pub fn differs_beside(&self, expected: &[String]) -> bool {
        self.differs.keys().any(|step| step.as_ref().is_none_or(|step| !expected.contains(step)))
    }

    /// Whether the outcome of some orders is not known.
    pub fn is_unknown(&self) -> bool {
        self.unknowable() > 0
    }

    /// The counts.
    pub fn counts(&self) -> Counted {
        Counted { orders: self.orders(), differ: self.differing(), unknown: self.unknowable() }
    }
}

/// How many orders were tried, differ, and are not known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counted {
    orders: u64,
    differ: u64,
    unknown: u64,
}

impl Counted {
    /// The counts, for people.
    pub fn in_words(&self) -> String {
        let Self { orders, differ, unknown } = self;
        format!("{orders} orders: {differ} differ, {unknown} cannot be known")
    }
}

/// The reason without the place, so that there are few kinds.
fn kind_of(why: &str) -> String {
    match why.strip_prefix("event ").and_then(|rest| rest.split_once(": ")) {
        Some((_, kind)) => kind.to_owned(),
        None => why.to_owned(),
    }
}
