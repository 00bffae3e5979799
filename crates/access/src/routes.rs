//! The operation of each route and of each GraphQL root field. What has no row here is refused to
//! everybody, once callers are authenticated.

use std::sync::LazyLock;

use http::Method;

use crate::operation::Operation;

/// A route: its method, its path as the router has it, and its operation.
pub type Row = (&'static str, &'static str, Operation);

/// Every route that a server with authentication may have. `HEAD` is `GET`.
pub const ROUTES: &[Row] = &[
    ("GET", "/livez", Operation::Probe),
    ("GET", "/readyz", Operation::Probe),
    ("GET", "/metrics", Operation::ReadFigures),
    ("GET", "/openapi.json", Operation::Describe),
    ("GET", "/schema.graphql", Operation::Describe),
    ("GET", "/", Operation::Describe),
    ("GET", "/ui", Operation::Describe),
    ("GET", "/ui/", Operation::Describe),
    ("GET", "/ui/{*path}", Operation::Describe),
    ("GET", "/console.json", Operation::Describe),
    ("GET", "/me", Operation::Describe),
    ("POST", "/orders", Operation::PlaceOrder),
    ("GET", "/orders/{id}", Operation::ReadOrders),
    ("GET", "/orders/batch", Operation::ReadOrders),
    ("POST", "/orders/batch", Operation::OperateBatch),
    ("POST", "/orders/{id}/cancel", Operation::CancelOrder),
    ("POST", "/orders/{id}/note", Operation::OperateOrder),
    ("POST", "/orders/{id}/pause", Operation::OperateOrder),
    ("POST", "/orders/{id}/resume", Operation::OperateOrder),
    ("POST", "/orders/{id}/retry", Operation::OperateOrder),
    ("POST", "/orders/{id}/skip", Operation::OperateOrder),
    ("POST", "/orders/{id}/steps/{step}/outcome", Operation::AnswerStep),
    ("GET", "/requests", Operation::ReadOrders),
    ("GET", "/requests/{id}", Operation::ReadOrders),
    ("POST", "/requests/{id}/approve", Operation::SettleRequest),
    ("POST", "/requests/{id}/decline", Operation::SettleRequest),
    ("POST", "/requests/{id}/withdraw", Operation::SettleRequest),
    ("GET", "/orders/{id}/personal-data", Operation::ReadPersonalData),
    ("POST", "/customers/{id}/forget", Operation::ForgetCustomer),
    ("POST", "/workflows", Operation::RegisterWorkflow),
    ("POST", "/workflows/check", Operation::RegisterWorkflow),
    ("POST", "/workflows/backtest", Operation::TryWorkflow),
    ("POST", "/workflows/test", Operation::TryWorkflow),
    ("GET", "/circuits", Operation::ReadCircuits),
    ("GET", "/webhooks", Operation::ManageWebhooks),
    ("POST", "/webhooks", Operation::ManageWebhooks),
    ("GET", "/webhooks/{id}", Operation::ManageWebhooks),
    ("PUT", "/webhooks/{id}", Operation::ManageWebhooks),
    ("DELETE", "/webhooks/{id}", Operation::ManageWebhooks),
    ("POST", "/webhooks/{id}/rotate", Operation::ManageWebhooks),
    ("POST", "/webhooks/{id}/test", Operation::ManageWebhooks),
    ("GET", "/webhooks/{id}/dead-letters", Operation::ManageWebhooks),
    ("POST", "/webhooks/{id}/replay", Operation::ManageWebhooks),
    ("GET", "/audit/orders/{id}", Operation::Audit),
    ("GET", "/audit/orders/{id}/export", Operation::Audit),
    ("GET", "/audit/seals", Operation::Audit),
    ("GET", "/audit/verification", Operation::Audit),
    ("POST", "/audit/verification", Operation::Audit),
    // Each root field is another operation: see `FIELDS`.
    ("GET", "/graphql", Operation::Query),
    ("POST", "/graphql", Operation::Query),
];

/// The root fields of queries and subscriptions: the type, the field, its operation.
pub const FIELDS: &[(&str, &str, Operation)] = &[
    ("Query", "__typename", Operation::Describe),
    ("Query", "__schema", Operation::Describe),
    ("Query", "__type", Operation::Describe),
    ("Query", "order", Operation::ReadOrders),
    ("Query", "orders", Operation::ReadOrders),
    ("Query", "workflow", Operation::ReadWorkflows),
    ("Query", "workflows", Operation::ReadWorkflows),
    ("Query", "approvals", Operation::ReadOrders),
    ("Query", "operationRequests", Operation::ReadOrders),
    ("Query", "troubles", Operation::ReadOrders),
    ("Query", "actions", Operation::ReadOrders),
    ("Query", "participants", Operation::CountOrders),
    ("Query", "parkedEvents", Operation::ReadParkedEvents),
    ("Query", "overview", Operation::CountOrders),
    ("Query", "ordersByHour", Operation::CountOrders),
    ("Query", "ends", Operation::CountOrders),
    ("Query", "counts", Operation::CountOrders),
    ("Query", "calls", Operation::ReadFigures),
    ("Query", "webhooks", Operation::ManageWebhooks),
    ("Subscription", "__typename", Operation::Describe),
    ("Subscription", "order", Operation::ReadOrders),
    ("Subscription", "orders", Operation::ReadOrders),
];

/// Whether a path and a method have a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// They have.
    Operation(Operation),
    /// The path has, with other methods.
    OtherMethod,
    /// The path has none.
    Nothing,
}

/// The operation of a request.
pub fn operation(method: &Method, path: &str) -> Found {
    let Ok(found) = ROUTER.at(path) else { return Found::Nothing };
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    let row = found.value.rows.iter().find(|(of, _)| *of == method);
    row.map_or(Found::OtherMethod, |(_, operation)| Found::Operation(*operation))
}

/// The methods that a path has, for the header `Allow`.
pub fn methods(path: &str) -> String {
    let rows = ROUTER.at(path).map(|found| found.value.rows.as_slice()).unwrap_or_default();
    rows.iter().map(|(method, _)| *method).collect::<Vec<_>>().join(", ")
}

/// The pattern of a path; `None`: it has none.
pub fn pattern(path: &str) -> Option<&'static str> {
    ROUTER.at(path).ok().map(|found| found.value.pattern)
}

/// The operation of a GraphQL root field; `None`: no caller may ask for it.
pub fn field(kind: &str, name: &str) -> Option<Operation> {
    FIELDS.iter().find(|(of, field, _)| *of == kind && *field == name).map(|(_, _, operation)| *operation)
}

/// The rows of one path.
struct Methods {
    pattern: &'static str,
    rows: Vec<(&'static str, Operation)>,
}

/// Matches paths as the servers' router does: it is the same library.
static ROUTER: LazyLock<matchit::Router<Methods>> = LazyLock::new(|| {
    let mut router = matchit::Router::new();
    for (index, (_, path, _)) in ROUTES.iter().enumerate() {
        if ROUTES[..index].iter().any(|(_, earlier, _)| earlier == path) {
            continue;
        }
        let rows = ROUTES.iter().filter(|(_, of, _)| of == path);
        let rows = rows.map(|(method, _, operation)| (*method, *operation)).collect();
        router
            .insert(*path, Methods { pattern: path, rows })
            .expect("the paths are written above, and a test reads them");
    }
    router
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_operation_of_its_route() {
        for (method, path, expected) in [
            ("GET", "/orders/10248", Found::Operation(Operation::ReadOrders)),
            ("HEAD", "/orders/10248", Found::Operation(Operation::ReadOrders)),
            ("POST", "/orders/batch", Found::Operation(Operation::OperateBatch)),
            ("POST", "/orders/10248/cancel", Found::Operation(Operation::CancelOrder)),
            ("DELETE", "/orders/10248", Found::OtherMethod),
            ("GET", "/orders/10248/cancel", Found::OtherMethod),
            ("GET", "/orders/", Found::Nothing),
            // As for the router: the handler finds no order of that id.
            ("POST", "/orders//cancel", Found::Operation(Operation::CancelOrder)),
            ("POST", "//orders", Found::Nothing),
            ("POST", "/orders/10248/cancel/", Found::Nothing),
            ("POST", "/orders/1/2/cancel", Found::Nothing),
            ("GET", "/participants/notifications/mailbox", Found::Nothing),
            ("GET", "*", Found::Nothing),
            ("GET", "", Found::Nothing),
        ] {
            assert_eq!(operation(&Method::from_bytes(method.as_bytes()).unwrap(), path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_path_has_its_pattern() {
        assert_eq!(pattern("/orders/10248/cancel"), Some("/orders/{id}/cancel"));
        assert_eq!((pattern("/orders/batch"), pattern("/nowhere")), (Some("/orders/batch"), None));
    }

    #[test]
    fn the_methods_of_a_path_are_those_of_its_rows() {
        assert_eq!(methods("/orders/batch"), "GET, POST");
        assert_eq!(methods("/nowhere"), "");
    }

    #[test]
    fn no_row_is_written_twice() {
        for (index, (method, path, _)) in ROUTES.iter().enumerate() {
            assert!(!ROUTES[..index].iter().any(|(m, p, _)| (m, p) == (method, path)), "{method} {path}");
        }
        for (index, (kind, name, _)) in FIELDS.iter().enumerate() {
            assert!(!FIELDS[..index].iter().any(|(k, n, _)| (k, n) == (kind, name)), "{kind}.{name}");
        }
    }
}
