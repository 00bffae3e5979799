//! What people did to orders.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};

use super::Store;
use crate::error::ViewsError;
use crate::page::Page;
use crate::rows::ActionRow;

/// The place of an action in this list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionPlace {
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Its order.
    pub order_id: String,
    /// The index of its event.
    pub revision: i64,
}

/// Which actions.
#[derive(Debug, Clone, Default)]
pub struct ActionsOf<'a> {
    /// The principal. A person, without the machine that acted for that person, is also one whom a
    /// machine acted for. `None`: everybody.
    pub actor: Option<&'a str>,
    /// Not before this.
    pub from: Option<DateTime<Utc>>,
    /// Before this.
    pub to: Option<DateTime<Utc>>,
    /// Only on the orders that this principal placed.
    pub placed_by: Option<&'a str>,
}

/// What stands between a person and the machine that acted for that person.
const ON_BEHALF: &str = ", by ";

impl Store {
    /// A page of the actions, the latest first, and one more if the list goes on.
    pub async fn actions(&self, which: &ActionsOf<'_>, page: &Page<ActionPlace>) -> Result<Vec<ActionRow>, ViewsError> {
        let mut query = QueryBuilder::<Postgres>::new(
            "SELECT t.order_id, t.revision, t.type, t.recorded_at, t.summary, t.step, t.actor, t.reason FROM timeline t",
        );
        if let Some(own) = which.placed_by {
            query.push(" JOIN orders ON orders.id = t.order_id AND orders.placed_by = ").push_bind(own);
        }
        // These conditions are those of the indexes.
        query.push(" WHERE t.actor IS NOT NULL AND t.type <> 'OrderPlaced'");
        if let Some(actor) = which.actor {
            let person = actor.split(ON_BEHALF).next().unwrap_or(actor);
            query.push(" AND split_part(t.actor, ', by ', 1) = ").push_bind(person);
            if person != actor {
                query.push(" AND t.actor = ").push_bind(actor);
            }
        }
        for (bound, side) in [(which.from, ">="), (which.to, "<")] {
            if let Some(bound) = bound {
                query.push(format_args!(" AND t.recorded_at {side} ")).push_bind(bound);
            }
        }
        for (place, side) in [(&page.after, "<"), (&page.before, ">")] {
            let Some(ActionPlace { recorded_at, order_id, revision }) = place else { continue };
            query.push(format_args!(" AND (t.recorded_at, t.order_id, t.revision) {side} ("));
            query.push_bind(*recorded_at).push(", ").push_bind(order_id.as_str()).push(", ");
            query.push_bind(*revision).push(")");
        }
        let direction = if page.from_end { "ASC" } else { "DESC" };
        query.push(format_args!(
            " ORDER BY t.recorded_at {direction}, t.order_id {direction}, t.revision {direction} LIMIT "
        ));
        query.push_bind(page.rows_to_read());
        Ok(query.build_query_as().fetch_all(&mut *self.snapshot().await?).await?)
    }
}
