//! Who sends a request.

use std::sync::Arc;

use tonic::Request;

/// The user that may do everything.
pub(crate) const ADMIN: &str = "admin";
/// The user that operates the node.
pub(crate) const OPS: &str = "ops";
/// The group of users that may do everything.
pub(crate) const ADMINS: &str = "$admins";
/// The group of users that operate the node.
pub(crate) const OPERATORS: &str = "$ops";
/// In a list of roles: every user.
const ALL: &str = "$all";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The node has no users: each caller may do everything.
    Open,
    Anonymous,
    User(Arc<Identity>),
}

/// A user who has given the password.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) login: String,
    pub(crate) groups: Vec<String>,
}

impl Caller {
    /// The caller that the guard has found.
    pub(crate) fn of<T>(request: &Request<T>) -> Self {
        request.extensions().get().cloned().unwrap_or(Self::Anonymous)
    }

    pub(crate) fn is_user(&self) -> bool {
        *self != Self::Anonymous
    }

    pub(crate) fn is_admin(&self) -> bool {
        self.is_one_of(&[ADMIN, ADMINS])
    }

    pub(crate) fn is_operator(&self) -> bool {
        self.is_one_of(&[ADMIN, ADMINS, OPS, OPERATORS])
    }

    /// Whether the caller is this user.
    pub(crate) fn is_called(&self, login: &str) -> bool {
        match self {
            Self::Open => true,
            Self::Anonymous => false,
            Self::User(user) => user.login == login,
        }
    }

    /// Whether the caller has one of these roles: the name of a user or of a group, or `$all`.
    pub(crate) fn is_one_of<R: AsRef<str>>(&self, roles: &[R]) -> bool {
        let has = |user: &Identity, role: &str| {
            role == ALL || user.login == role || user.groups.iter().any(|group| group == role)
        };
        match self {
            Self::Open => true,
            Self::Anonymous => false,
            Self::User(user) => roles.iter().any(|role| has(user, role.as_ref())),
        }
    }
}

#[cfg(test)]
pub(crate) fn user(login: &str, groups: &[&str]) -> Caller {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Caller::User(Arc::new(Identity { login: login.to_owned(), groups }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_roles_of_the_name_and_of_the_groups() {
        let anna = user("anna", &["shops"]);
        assert!(anna.is_one_of(&["anna"]) && anna.is_one_of(&["x", "shops"]) && anna.is_one_of(&["$all"]));
        assert!(!anna.is_one_of(&["bert", "$admins"]) && !anna.is_admin() && !anna.is_operator());
        assert!(user("admin", &[]).is_admin() && user("bert", &["$admins"]).is_operator());
        assert!(user("carl", &["$ops"]).is_operator() && !user("ops", &[]).is_admin());
    }

    #[test]
    fn an_anonymous_caller_has_no_role_and_on_an_open_node_each_caller_has_all() {
        assert!(!Caller::Anonymous.is_one_of(&["$all"]) && !Caller::Anonymous.is_user());
        assert!(Caller::Open.is_admin() && Caller::Open.is_called("anna"));
    }
}
