//! Who may do what, on a node with users: the rules of a server with access control.
//!
//! A [`guard`] in front of all routes finds the [`caller`] of a request by its user and password,
//! and refuses a method that the caller may not call ([`methods`]). What concerns a stream is
//! decided where the stream is known, by its access control list ([`acl`], [`rights`]).
//!
//! Without users every caller may do everything, as on a server that is started as insecure.

pub(crate) mod acl;
pub(crate) mod caller;
mod credentials;
pub(crate) mod guard;
mod methods;
mod password;
pub(crate) mod rights;
pub(crate) mod user;
pub(crate) mod users;
