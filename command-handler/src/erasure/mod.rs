//! A customer is forgotten: the keys of the personal data are destroyed, and everybody is told who keeps copies.
//!
//! Each step can be done again. Whoever is told that it could not be done to the end asks again, and is told the end then. In the log,
//! in the views, in copies and backups of either, nothing is touched: what is sealed there stays, and nobody reads it any more.

mod orders;

use std::sync::Arc;
use std::time::Duration;

use domain::ids::OrderId;
use domain::wire::erasures::{ERASURES, PersonalDataErased};
use event_store::client::{AppendError, Expected, Position};
use tokio::time::{Instant, sleep};

use crate::clock::Clock;
use crate::keys::{CustomerKeys, KeyError};
use crate::log::Log;
use crate::orchestrator::Orchestrator;
use crate::participants::{Participants, event};

pub use orders::CustomerOrders;

/// How long the views have to come to what this instance has written.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);
/// How many open orders are named.
const MOST_NAMED: usize = 10;

/// Who wishes it, and why.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub actor: String,
    pub reason: String,
}

/// A customer is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// The orders whose personal data are gone.
    pub orders: usize,
    /// Those of them that were written before personal data were sealed: in the log they still stand.
    pub in_the_clear: u64,
    /// Where the last event of it stands.
    pub position: Position,
}

/// Why not.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForgetError {
    #[error("there is no customer {0:?}: no order has that id of one")]
    Unknown(String),
    /// They would be told placeholders.
    #[error(
        "personal data are still needed by orders that have not ended: {}{}; cancel them, or wait",
        .0.join(", "),
        if .0.len() == MOST_NAMED { ", …" } else { "" }
    )]
    OrdersOpen(Vec<String>),
    #[error("the views are behind")]
    ViewsBehind,
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error("the views cannot be read: {0}")]
    Views(String),
    #[error("it could not be recorded: {0}")]
    Append(#[from] AppendError),
    #[error("it cannot be written: {0}")]
    Encode(#[from] serde_json::Error),
}

/// Forgets customers.
#[derive(Debug)]
pub(crate) struct Erasure<L, P, C, V> {
    pub orchestrator: Orchestrator<L, P, C>,
    pub log: L,
    pub keys: Arc<dyn CustomerKeys>,
    pub views: V,
}

impl<L: Log, P: Participants, C: Clock, V: CustomerOrders> Erasure<L, P, C, V> {
    /// Destroys the customer's keys, unless an order still needs them. An order that another instance takes meanwhile may be missed;
    /// its personal data are gone all the same, within the time for which a key is kept in memory.
    pub async fn forget(&self, customer: &str, wish: &Wish) -> Result<Forgotten, ForgetError> {
        self.views_have_all().await?;
        let open = self.views.open(customer, MOST_NAMED).await.map_err(views)?;
        if !open.is_empty() {
            return Err(ForgetError::OrdersOpen(open));
        }
        let keys = self.keys.destroy(customer).await?;
        self.views_have_all().await?;
        let in_the_clear = self.views.in_the_clear(customer).await.map_err(views)?;
        let (mut orders, mut position, mut after) = (0, None, None);
        loop {
            let page =
                self.views.ended(customer, after.as_ref(), PersonalDataErased::MOST_ORDERS).await.map_err(views)?;
            let (is_last, is_nothing) = (page.len() < PersonalDataErased::MOST_ORDERS, page.is_empty());
            // A customer whose orders are in no view yet had a key all the same.
            if is_nothing && (position.is_some() || keys == 0) {
                break;
            }
            (orders, after) = (orders + page.len(), page.last().cloned());
            position = Some(self.tell(customer, page, wish).await?);
            if is_last {
                break;
            }
        }
        let position = position.ok_or_else(|| ForgetError::Unknown(customer.to_owned()))?;
        Ok(Forgotten { orders, in_the_clear, position })
    }

    /// Tells everybody who keeps copies.
    async fn tell(&self, customer: &str, orders: Vec<OrderId>, wish: &Wish) -> Result<Position, ForgetError> {
        let clock = self.orchestrator.clock();
        let erased = PersonalDataErased { customer_id: customer.to_owned(), orders, at: clock.now().at };
        let message = erased.message(clock.id(), &wish.actor, &wish.reason)?;
        Ok(self.log.append(ERASURES, Expected::Any, vec![event(message)]).await?.position)
    }

    /// Waits until the views have what this instance has written about orders.
    async fn views_have_all(&self) -> Result<(), ForgetError> {
        let Some(wanted) = self.orchestrator.last_saved() else { return Ok(()) };
        let begun = Instant::now();
        while self.views.position().await.map_err(views)? < Some(wanted.commit) {
            if begun.elapsed() > LONGEST_WAIT {
                return Err(ForgetError::ViewsBehind);
            }
            sleep(POLL).await;
        }
        Ok(())
    }
}

fn views(error: impl std::fmt::Display) -> ForgetError {
    ForgetError::Views(error.to_string())
}
