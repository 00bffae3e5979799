//! What an operator asks for, of one order or of many.

use domain::order::{Now, Operate, Operation};

use crate::orders::Cause;
use crate::second_person::Asker;

/// What is wished, by whom and why.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Instruction {
    pub operation: Operation,
    pub actor: String,
    pub reason: String,
    /// The second person, if one approved it.
    pub approved_by: Option<String>,
    /// Who sends it, if a second person may have to approve it for the order.
    pub asker: Option<Asker>,
}

impl Instruction {
    /// The command.
    pub fn command(&self, now: Now) -> Operate {
        let Self { operation, actor, reason, .. } = self.clone();
        let actor = Operate::approved(&actor, self.approved_by.as_deref());
        Operate { operation, actor, reason, now }
    }

    /// Who causes the command.
    pub fn cause(&self) -> Cause {
        let cause = Cause::attributed_to(&self.actor, &self.reason).approved_by(self.approved_by.clone());
        cause.asked_by(self.asker.clone())
    }
}
