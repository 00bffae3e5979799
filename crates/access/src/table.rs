//! Who may do what: operations by roles. This is the only place that decides it.

use crate::operation::Operation;
use crate::role::Role;

/// How much of an operation a role has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// Nothing.
    Nothing,
    /// What is its own: for a shop, the orders that it placed; for a participant, the steps that
    /// ask it.
    Own,
    /// Everything.
    Everything,
}

/// Whether an operation needs no credentials.
pub fn is_public(operation: Operation) -> bool {
    matches!(operation, Operation::Probe | Operation::Describe)
}

/// Whether the address of a request can have a token instead of credentials. The handler checks it.
pub fn takes_a_callback_token(operation: Operation) -> bool {
    operation == Operation::AnswerStep
}

/// How much of an operation a role has.
#[rustfmt::skip]
#[expect(clippy::match_same_arms, reason = "each line is a row")]
pub fn extent(operation: Operation, role: &Role) -> Extent {
    use Extent::{Everything, Nothing, Own};
    let columns = match operation {
        // In this order: shop, participant, viewer, operator, auditor, author, admin.
        Operation::Probe
        | Operation::Describe            => [Everything, Everything, Everything, Everything, Everything, Everything, Everything],
        Operation::Query                 => [Everything, Nothing,    Everything, Everything, Everything, Everything, Everything],
        Operation::ReadFigures           => [Nothing,    Nothing,    Everything, Everything, Everything, Nothing,    Everything],
        Operation::PlaceOrder            => [Everything, Nothing,    Nothing,    Nothing,    Nothing,    Nothing,    Everything],
        Operation::ReadOrders
        | Operation::CountOrders         => [Own,        Nothing,    Everything, Everything, Everything, Nothing,    Everything],
        Operation::ReadPersonalData      => [Own,        Own,        Nothing,    Everything, Everything, Nothing,    Everything],
        Operation::AnswerStep            => [Nothing,    Own,        Nothing,    Everything, Nothing,    Nothing,    Everything],
        Operation::CancelOrder           => [Own,        Nothing,    Nothing,    Everything, Nothing,    Nothing,    Everything],
        Operation::OperateOrder
        | Operation::OperateBatch        => [Nothing,    Nothing,    Nothing,    Everything, Nothing,    Nothing,    Everything],
        // Which of them may approve, each request says.
        Operation::SettleRequest         => [Nothing,    Nothing,    Nothing,    Everything, Everything, Nothing,    Everything],
        Operation::ReadCircuits          => [Nothing,    Nothing,    Everything, Everything, Everything, Nothing,    Everything],
        Operation::ReadParkedEvents      => [Nothing,    Nothing,    Nothing,    Everything, Everything, Nothing,    Everything],
        Operation::ReadWorkflows         => [Everything, Nothing,    Everything, Everything, Everything, Everything, Everything],
        Operation::RegisterWorkflow
        | Operation::TryWorkflow         => [Nothing,    Nothing,    Nothing,    Nothing,    Nothing,    Everything, Everything],
        Operation::Audit                 => [Nothing,    Nothing,    Nothing,    Nothing,    Everything, Nothing,    Everything],
        Operation::ForgetCustomer
        | Operation::ManageWebhooks      => [Nothing,    Nothing,    Nothing,    Nothing,    Nothing,    Nothing,    Everything],
    };
    let [shop, participant, viewer, operator, auditor, author, admin] = columns;
    match role {
        Role::Shop => shop,
        Role::Participant(_) => participant,
        Role::Viewer => viewer,
        Role::Operator => operator,
        Role::Auditor => auditor,
        Role::Author => author,
        Role::Admin => admin,
    }
}

/// Whether a role sees the personal data in what it reads.
pub fn sees_personal_data(role: &Role) -> bool {
    match role {
        Role::Shop | Role::Operator | Role::Auditor | Role::Admin => true,
        Role::Participant(_) | Role::Viewer | Role::Author => false,
    }
}
