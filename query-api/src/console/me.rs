//! `GET /me`: who asks, and what the caller may do.

use access::{Caller, Operation, Reach};
use axum::Json;
use axum::http::{Extensions, header};
use axum::response::IntoResponse;
use serde::Serialize;

/// A caller.
#[derive(Debug, Serialize)]
struct Me {
    /// `None`: callers are not authenticated, or this one has shown no credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    roles: Vec<String>,
    /// What it may do, in general or with what is its own.
    operations: Vec<&'static str>,
}

pub(super) async fn get(extensions: Extensions) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-store")], Json(described(&Caller::of(&extensions))))
}

fn described(caller: &Caller) -> Me {
    let roles = caller.principal().map(|principal| principal.roles.iter().map(ToString::to_string).collect());
    let may = |operation: &Operation| caller.reach(*operation) != Reach::Nothing;
    Me {
        principal: caller.name().map(str::to_owned),
        roles: roles.unwrap_or_default(),
        operations: Operation::ALL.into_iter().filter(may).map(Operation::name).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use access::Principal;

    use super::*;

    #[test]
    fn a_caller_learns_its_name_its_roles_and_what_these_allow() {
        let roles = ["viewer".parse().unwrap()].into();
        let viewer = Principal { name: "ann@company".to_owned(), roles, on_behalf_of: false };
        let me = described(&Caller::Known(Arc::new(viewer)));
        assert_eq!((me.principal.as_deref(), me.roles), (Some("ann@company"), vec!["viewer".to_owned()]));
        assert!(me.operations.contains(&"readOrders") && !me.operations.contains(&"cancelOrder"));
        assert_eq!(described(&Caller::Anyone).operations.len(), Operation::ALL.len());
        assert_eq!(described(&Caller::Stranger).operations, ["probe", "describe"]);
    }
}
