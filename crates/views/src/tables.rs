//! The views, which are tables: their names and their keys.

use sqlx::PgConnection;

/// The table of checkpoints. The checkpoint of the views moves in one transaction with them.
pub const CHECKPOINTS: &str = "checkpoints";

/// A view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// Each order.
    Orders,
    /// Each step of each order that has begun.
    Steps,
    /// Each event of each order.
    Timeline,
    /// Orders with due work, and when it is due.
    Todo,
    /// How many orders of each state and status were placed in each hour, and in all.
    Counts,
    /// How many orders of each definition are in each state.
    WorkflowCounts,
    /// How long steps and orders of each definition took.
    Estimates,
    /// When open orders and their open steps are expected to end.
    Expectations,
    /// Operations that a second person has to approve.
    Requests,
    /// Registered definitions.
    Workflows,
    /// Webhooks.
    Webhooks,
    /// Notifications that were given up.
    DeadLetters,
    /// Events that are set aside.
    Parked,
}

impl View {
    /// In the order in which every process locks them.
    pub const ALL: [Self; 13] = [
        Self::Orders,
        Self::Steps,
        Self::Timeline,
        Self::Todo,
        Self::Counts,
        Self::WorkflowCounts,
        Self::Estimates,
        Self::Expectations,
        Self::Requests,
        Self::Workflows,
        Self::Webhooks,
        Self::DeadLetters,
        Self::Parked,
    ];

    /// Its table.
    pub fn table(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Steps => "steps",
            Self::Timeline => "timeline",
            Self::Todo => "todo",
            Self::Counts => "order_counts",
            Self::WorkflowCounts => "workflow_counts",
            Self::Estimates => "estimates",
            Self::Expectations => "expectations",
            Self::Requests => "requests",
            Self::Workflows => "workflows",
            Self::Webhooks => "webhooks",
            Self::DeadLetters => "webhook_dead_letters",
            Self::Parked => "parked",
        }
    }

    /// The columns of its key.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Orders | Self::Requests | Self::Webhooks => &["id"],
            Self::Steps => &["order_id", "step"],
            Self::Timeline => &["order_id", "revision"],
            Self::Todo | Self::Expectations => &["order_id"],
            Self::Counts => &["hour", "state", "status"],
            Self::WorkflowCounts => &["workflow", "version", "state"],
            Self::Estimates => &["workflow", "step", "part", "version"],
            Self::Workflows => &["name", "version"],
            Self::DeadLetters => &["webhook_id", "order_id", "order_revision", "type"],
            Self::Parked => &["stream", "revision"],
        }
    }

    /// Its tables in a schema, as a list for SQL.
    pub fn all_in(schema: &str) -> String {
        Self::ALL.map(|view| format!("{schema}.{}", view.table())).join(", ")
    }
}

/// The schema of the live views, quoted, as an ordinary connection sees it.
pub async fn live_schema(db: &mut PgConnection) -> Result<String, sqlx::Error> {
    let schema = sqlx::query_scalar(
        "SELECT quote_ident(nspname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
         WHERE pg_class.oid = 'orders'::regclass",
    );
    schema.fetch_one(db).await
}
