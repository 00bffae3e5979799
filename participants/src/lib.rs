//! Reference services that a workflow calls: orders, payments, shipping, notifications.
