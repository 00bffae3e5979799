//! Who sent a request, and how much of an operation is theirs.

use std::sync::Arc;

use http::Extensions;

use crate::operation::Operation;
use crate::principal::Principal;
use crate::role::Role;
use crate::table::{Extent, extent, is_public, sees_personal_data};

/// Who sent a request. The server puts it into the request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Callers are not authenticated: everybody may do everything.
    Anyone,
    /// Callers are authenticated, and this one has shown no credentials: it may do what is public.
    Stranger,
    /// An authenticated caller.
    Known(Arc<Principal>),
}

/// How much of an operation a caller has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Everything.
    Everything,
    /// What is its own.
    Own(Own),
    /// Nothing.
    Nothing,
}

/// The orders within a reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orders<'r> {
    /// All orders.
    All,
    /// Those that this principal placed.
    PlacedBy(&'r str),
    /// No order.
    None,
}

/// What is a caller's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// The orders that this principal placed.
    pub placed_by: Option<String>,
    /// The requests to these participants.
    pub participants: Vec<String>,
}

impl Caller {
    /// The caller that the gate found. A request that passed no gate is a stranger's.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or(Self::Stranger)
    }

    /// The name, if the caller is known.
    pub fn name(&self) -> Option<&str> {
        self.principal().map(|principal| principal.name.as_str())
    }

    /// The principal, if the caller is known.
    pub fn principal(&self) -> Option<&Arc<Principal>> {
        match self {
            Self::Known(principal) => Some(principal),
            Self::Anyone | Self::Stranger => None,
        }
    }

    /// How much of an operation the caller has.
    pub fn reach(&self, operation: Operation) -> Reach {
        let principal = match self {
            Self::Anyone => return Reach::Everything,
            Self::Stranger if is_public(operation) => return Reach::Everything,
            Self::Stranger => return Reach::Nothing,
            Self::Known(principal) => principal,
        };
        let mut own: Option<Own> = None;
        for role in &principal.roles {
            match extent(operation, role) {
                Extent::Everything => return Reach::Everything,
                Extent::Own => own.get_or_insert_default().add(role, &principal.name),
                Extent::Nothing => {}
            }
        }
        match own {
            Some(own) => Reach::Own(own),
            None if is_public(operation) => Reach::Everything,
            None => Reach::Nothing,
        }
    }

    /// Whether the caller sees the personal data in what it reads.
    pub fn sees_personal_data(&self) -> bool {
        match self {
            Self::Anyone => true,
            Self::Stranger => false,
            Self::Known(principal) => principal.roles.iter().any(sees_personal_data),
        }
    }
}

impl Own {
    fn add(&mut self, role: &Role, name: &str) {
        match role {
            Role::Participant(participant) => self.participants.push(participant.clone()),
            Role::Shop | Role::Viewer | Role::Operator | Role::Auditor | Role::Author | Role::Admin => {
                self.placed_by = Some(name.to_owned());
            }
        }
    }
}

impl Reach {
    /// The orders within it.
    pub fn orders(&self) -> Orders<'_> {
        match self {
            Self::Everything => Orders::All,
            Self::Own(own) => own.placed_by.as_deref().map_or(Orders::None, Orders::PlacedBy),
            Self::Nothing => Orders::None,
        }
    }

    /// Whether it covers an order that this principal placed.
    pub fn covers_order(&self, placed_by: Option<&str>) -> bool {
        match self.orders() {
            Orders::All => true,
            Orders::PlacedBy(own) => placed_by == Some(own),
            Orders::None => false,
        }
    }

    /// Whether it covers the requests to a participant.
    pub fn covers_participant(&self, name: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Own(own) => own.participants.iter().any(|participant| participant == name),
            Self::Nothing => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(roles: &[&str]) -> Caller {
        let roles = roles.iter().map(|role| role.parse().unwrap()).collect();
        Caller::Known(Arc::new(Principal { name: "web".to_owned(), roles, on_behalf_of: false }))
    }

    #[test]
    fn a_shop_has_its_own_orders_alone() {
        let reach = known(&["shop"]).reach(Operation::ReadOrders);
        assert!(reach.covers_order(Some("web")));
        assert!(!reach.covers_order(Some("app")) && !reach.covers_order(None));
        assert_eq!(known(&["shop"]).reach(Operation::OperateOrder), Reach::Nothing);
    }

    #[test]
    fn a_participant_has_its_own_steps_alone() {
        let reach = known(&["participant:payments", "participant:billing"]).reach(Operation::AnswerStep);
        assert!(reach.covers_participant("payments") && reach.covers_participant("billing"));
        assert!(!reach.covers_participant("shipping") && !reach.covers_order(None));
    }

    #[test]
    fn the_larger_extent_of_two_roles_counts_and_own_things_of_two_roles_add_up() {
        assert_eq!(known(&["shop", "operator"]).reach(Operation::CancelOrder), Reach::Everything);
        let reach = known(&["shop", "participant:payments"]).reach(Operation::ReadPersonalData);
        assert!(reach.covers_order(Some("web")) && reach.covers_participant("payments"));
    }

    #[test]
    fn a_caller_without_a_role_has_what_is_public() {
        for caller in [known(&[]), Caller::Stranger] {
            for operation in Operation::ALL {
                let expected = if is_public(operation) { Reach::Everything } else { Reach::Nothing };
                assert_eq!(caller.reach(operation), expected, "{operation:?}");
            }
            assert!(!caller.sees_personal_data());
        }
    }

    #[test]
    fn everybody_has_everything_while_callers_are_not_authenticated() {
        assert!(Operation::ALL.iter().all(|operation| Caller::Anyone.reach(*operation) == Reach::Everything));
    }

    #[test]
    fn a_viewer_that_is_nothing_else_sees_no_personal_data() {
        assert!(!known(&["viewer"]).sees_personal_data());
        assert!(known(&["viewer", "operator"]).sees_personal_data());
    }
}
