//! What an operator asks for, of one order or of many.

use domain::order::{Now, Operate, Operation};

/// What is wished, by whom and why.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Instruction {
    pub operation: Operation,
    pub actor: String,
    pub reason: String,
}

impl Instruction {
    /// The command.
    pub fn command(&self, now: Now) -> Operate {
        let Self { operation, actor, reason } = self.clone();
        Operate { operation, actor, reason, now }
    }
}
