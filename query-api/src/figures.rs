//! What an instance counts of GraphQL operations, for `/metrics`. The label is the name of a root
//! field that callers may ask for, so that no caller can invent one.

use std::fmt;
use std::time::Duration;

use access::routes::FIELDS;
use metrics::{Counters, DescriptorEncoder, FAST, Histograms, Metric, OTHER};

metrics::metrics! {
    QUERIES: 2 = Metric::histogram(
        "tenuto_graphql_query_duration_seconds",
        ["field", "result"],
        "Time to answer a query, by its root field (several: more than one) and result: ok or error",
    );
    SUBSCRIBED: 1 = Metric::counter(
        "tenuto_graphql_subscriptions",
        ["field"],
        "Subscriptions that began, by their root field",
    );
    REFUSED: 0 = Metric::counter(
        "tenuto_graphql_refused_operations",
        [],
        "Operations that were refused before they were executed: not well-formed, too large, or not allowed",
    );
    CONNECTIONS: 0 = Metric::gauge("tenuto_live_connections", [], "Connections open for subscriptions");
    SUBSCRIPTIONS: 0 = Metric::gauge("tenuto_live_subscriptions", [], "Subscriptions under way");
    LET_GO: 0 = Metric::counter(
        "tenuto_live_let_go",
        [],
        "Subscriptions and connections that were ended because their clients were too slow",
    );
}

/// More than one root field.
const SEVERAL: &str = "several";

/// What is counted of operations.
#[derive(Debug)]
pub(crate) struct QueryFigures {
    queries: Histograms<2>,
    subscribed: Counters<1>,
    refused: Counters<0>,
}

impl Default for QueryFigures {
    fn default() -> Self {
        Self {
            queries: Histograms::new(&QUERIES, FAST),
            subscribed: Counters::new(&SUBSCRIBED),
            refused: Counters::new(&REFUSED),
        }
    }
}

impl QueryFigures {
    /// A query was answered.
    pub fn answered(&self, field: &str, is_ok: bool, took: Duration) {
        self.queries.observe([field, if is_ok { "ok" } else { "error" }], took.as_secs_f64());
    }

    /// A subscription began.
    pub fn subscribed(&self, field: &str) {
        self.subscribed.add_one([field]);
    }

    /// An operation was refused before it was executed.
    pub fn refused(&self) {
        self.refused.add_one([]);
    }

    pub fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.queries.encode(encoder)?;
        self.subscribed.encode(encoder)?;
        self.refused.encode(encoder)
    }
}

/// The label of an operation with these root fields.
pub(crate) fn label(root_fields: &[String]) -> &'static str {
    match root_fields {
        [] => OTHER,
        [only] => FIELDS.iter().find(|(_, name, _)| name == only).map_or(OTHER, |(_, name, _)| name),
        _ => SEVERAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_has_the_name_of_its_only_root_field_if_that_is_known() {
        let label = |fields: &[&str]| label(&fields.iter().map(|&field| field.to_owned()).collect::<Vec<_>>());
        assert_eq!([label(&["orders"]), label(&["__schema"]), label(&["x1"])], ["orders", "__schema", OTHER]);
        assert_eq!([label(&[]), label(&["order", "orders"])], [OTHER, SEVERAL]);
    }
}
