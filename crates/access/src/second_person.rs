//! Which operations of operators a second person has to approve.

use std::collections::BTreeSet;
use std::time::Duration;

use live::{Change, Live};
use rust_decimal::Decimal;

use crate::role::Role;

/// The rules of a role. The first one that applies counts. Clones change together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecondPerson(Live<Vec<Rule>>);

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The operations, as commands name them.
    pub operations: BTreeSet<String>,
    /// The workflows of the orders; empty: all.
    pub workflows: BTreeSet<String>,
    /// Only orders with a larger total.
    pub above_total: Option<Decimal>,
    /// Only batches of more orders.
    pub above_orders: Option<u64>,
    /// Who may approve.
    pub approver: Role,
    /// How long a request waits.
    pub expires: Duration,
}

impl SecondPerson {
    /// The operations that rules may name.
    pub const OPERATIONS: [&str; 5] = ["cancel", "pause", "resume", "retry", "skip"];

    /// These rules.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self(Live::new(rules.into_iter().collect()))
    }

    /// What replaces these rules by others.
    pub fn prepare(&self, other: &Self) -> Change {
        Change::default().set(&self.0, other.0.get().to_vec())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.get().is_empty()
    }

    /// The rule for an operation on one order.
    pub fn of_order(&self, operation: &str, workflow: &str, total: Decimal) -> Option<Rule> {
        let rules = self.0.get();
        let found = rules.iter().find(|rule| {
            rule.operations.contains(operation)
                && rule.above_orders.is_none()
                && (rule.workflows.is_empty() || rule.workflows.contains(workflow))
                && rule.above_total.is_none_or(|limit| total > limit)
        });
        found.cloned()
    }

    /// The rule for a batch of so many orders. Which orders they are is known only at their turn,
    /// so a rule for some workflows or totals counts for every batch.
    pub fn of_batch(&self, operation: &str, orders: u64) -> Option<Rule> {
        let applies =
            |rule: &&Rule| rule.operations.contains(operation) && rule.above_orders.is_none_or(|limit| orders > limit);
        self.0.get().iter().find(applies).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(operation: &str) -> Rule {
        Rule {
            operations: [operation.to_owned()].into(),
            workflows: BTreeSet::new(),
            above_total: None,
            above_orders: None,
            approver: Role::Operator,
            expires: Duration::from_hours(24),
        }
    }

    #[test]
    fn a_rule_is_for_the_operations_workflows_and_totals_that_it_names() {
        let large = Rule {
            workflows: ["wholesale".to_owned()].into(),
            above_total: Some(Decimal::new(1_000, 0)),
            approver: Role::Admin,
            ..rule("cancel")
        };
        let rules = SecondPerson::new([large.clone(), rule("skip")]);
        let of = |operation, workflow, total| rules.of_order(operation, workflow, Decimal::new(total, 0));
        assert_eq!(of("cancel", "wholesale", 1_001).as_ref(), Some(&large));
        assert_eq!(of("cancel", "wholesale", 1_000), None);
        assert_eq!(of("cancel", "retail", 1_001), None);
        assert_eq!(of("skip", "retail", 0), Some(rule("skip")));
        assert_eq!(of("retry", "retail", 0), None);
        assert_eq!(SecondPerson::default().of_order("skip", "retail", Decimal::ZERO), None);
    }

    #[test]
    fn a_batch_needs_a_second_person_if_one_of_its_orders_may_or_if_it_is_large() {
        let many = Rule { above_orders: Some(20), ..rule("retry") };
        let some = Rule { above_total: Some(Decimal::ONE), ..rule("cancel") };
        let rules = SecondPerson::new([many.clone(), some.clone()]);
        assert_eq!(rules.of_batch("retry", 20), None);
        assert_eq!(rules.of_batch("retry", 21), Some(many));
        assert_eq!(rules.of_batch("cancel", 1), Some(some));
        assert_eq!(rules.of_order("retry", "retail", Decimal::ZERO), None);
    }
}
