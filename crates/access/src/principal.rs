//! Who is calling.

use std::collections::BTreeSet;

use crate::role::Role;

/// A caller that was authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its name: what events record as the actor. A subject of an issuer is `subject@issuer`, a
    /// client with a certificate `name@certificate`. An API key has the name that it was created
    /// with, without an `@`. So no two kinds share a name.
    pub name: String,
    /// What it may do.
    pub roles: BTreeSet<Role>,
    /// Whether it may act on behalf of a person whom it names.
    pub on_behalf_of: bool,
}
