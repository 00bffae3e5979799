//! The views, which are tables: what they are called, and what their rows are told apart by.

use sqlx::PgConnection;

/// How far the views have come: a table that moves in one transaction with them.
pub const CHECKPOINTS: &str = "checkpoints";

/// A view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// Where each order stands.
    Orders,
    /// Where each step of each order stands.
    Steps,
    /// Every event of every order.
    Timeline,
    /// Orders that somebody has to look at again.
    Todo,
    /// How many orders of each state and status were placed in each hour, and in all.
    Counts,
    /// Registered definitions.
    Workflows,
    /// What is set aside.
    Parked,
}

impl View {
    /// In the order in which everybody locks them.
    pub const ALL: [Self; 7] =
        [Self::Orders, Self::Steps, Self::Timeline, Self::Todo, Self::Counts, Self::Workflows, Self::Parked];

    /// Its table.
    pub fn table(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Steps => "steps",
            Self::Timeline => "timeline",
            Self::Todo => "todo",
            Self::Counts => "order_counts",
            Self::Workflows => "workflows",
            Self::Parked => "parked",
        }
    }

    /// The columns by which its rows are told apart.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Orders => &["id"],
            Self::Steps => &["order_id", "step"],
            Self::Timeline => &["order_id", "revision"],
            Self::Todo => &["order_id"],
            Self::Counts => &["hour", "state", "status"],
            Self::Workflows => &["name", "version"],
            Self::Parked => &["stream", "revision"],
        }
    }

    /// Its tables in a schema, as a list for SQL.
    pub fn all_in(schema: &str) -> String {
        Self::ALL.map(|view| format!("{schema}.{}", view.table())).join(", ")
    }
}

/// Where the live views are, quoted, as an ordinary connection sees them.
pub async fn live_schema(db: &mut PgConnection) -> Result<String, sqlx::Error> {
    let schema = sqlx::query_scalar(
        "SELECT quote_ident(nspname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
         WHERE pg_class.oid = 'orders'::regclass",
    );
    schema.fetch_one(db).await
}
