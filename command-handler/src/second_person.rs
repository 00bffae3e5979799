//! Whether an operator's command is carried out, or asked for because a second person has to
//! approve it.

use access::{Caller, Operation, Reach, SecondPerson};
use chrono::TimeDelta;
use domain::order::{Command, Operate, OrderPlaced, Request};

/// Who sends an operator's commands, and which of them a second person has to approve.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asker {
    principal: String,
    rules: SecondPerson,
}

impl Asker {
    /// `None`: the caller is no operator, but a shop that cancels its own order, or callers are not
    /// authenticated.
    pub fn of(caller: &Caller, operation: Operation, rules: &SecondPerson) -> Option<Self> {
        let principal = caller.principal().filter(|_| caller.reach(operation) == Reach::Everything)?;
        Some(Self::new(principal.name.clone(), rules.clone()))
    }

    pub fn new(principal: String, rules: SecondPerson) -> Self {
        Self { principal, rules }
    }

    /// The command for this order. The driver says at which revision it is decided.
    pub fn command(&self, operate: Operate, order: &OrderPlaced) -> Command {
        let name = operate.operation.as_str();
        match self.rules.of_order(name, &order.workflow.name, order.total) {
            None => Command::Operate(operate),
            Some(rule) => Command::Request(Request {
                principal: self.principal.clone(),
                approver: rule.approver.to_string(),
                previewed_at: 0,
                expires_at: operate.now.at + TimeDelta::from_std(rule.expires).unwrap_or(TimeDelta::MAX),
                operate,
            }),
        }
    }
}
