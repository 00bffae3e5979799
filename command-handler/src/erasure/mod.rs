//! Erases a customer: destroys the keys of the personal data, and informs every holder of copies.
//!
//! Each step can be repeated. A caller that receives "incomplete" sends the request again, and
//! receives the result then. The log, the views, and their copies and backups do not change: sealed
//! data stay there, and no one can read them any more.

mod orders;

use std::sync::Arc;
use std::time::Duration;

use domain::ids::OrderId;
use domain::wire::erasures::{ERASURES, PersonalDataErased};
use event_store::{AppendError, Expected, Position};
use tokio::time::{Instant, sleep, timeout_at};

use crate::clock::Clock;
use crate::keys::{CustomerKeys, KeyError};
use crate::log::Log;
use crate::orchestrator::Orchestrator;
use crate::participants::{Participants, event};

pub use orders::CustomerOrders;

const POLL: Duration = Duration::from_millis(50);
/// The limit for the open orders that the answer names.
pub(crate) const MAX_NAMED: usize = 10;

/// The principal, and the reason.
#[derive(Debug, Clone)]
pub(crate) struct Attribution {
    pub actor: String,
    pub reason: String,
}

/// The result of an erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// The orders whose personal data are erased.
    pub orders: usize,
    /// The number of them that were placed before personal data were sealed. The log still has
    /// their personal data in plain text.
    pub in_the_clear: u64,
    /// The first of the orders that have not ended. Their key was lost before. An operator ends
    /// them without personal data.
    pub open: Vec<String>,
    /// The position of the last event of the erasure.
    pub position: Position,
}

/// Why an erasure fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForgetError {
    #[error("there is no customer {0:?}: no order has that id of one")]
    Unknown(String),
    /// Their participants would receive placeholders.
    #[error(
        "personal data are still needed by orders that have not ended: {}{}; cancel them, or wait",
        .0.join(", "),
        if .0.len() == MAX_NAMED { ", …" } else { "" }
    )]
    OrdersOpen(Vec<String>),
    #[error("the views are behind the log; see that a projector is running")]
    ViewsBehind,
    #[error("{0} does not answer")]
    Silent(&'static str),
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error("the views cannot be read: {0}")]
    Views(String),
    #[error("it could not be recorded: {0}")]
    Append(#[from] AppendError),
    #[error("it cannot be written: {0}")]
    Encode(#[from] serde_json::Error),
}

/// How far the erasure came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Nothing,
    /// The keys may or may not be destroyed.
    Unknown,
    KeysDestroyed,
}

impl Progress {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing was done",
            Self::Unknown => "the keys of the personal data may be destroyed",
            Self::KeysDestroyed => "the keys of the personal data are destroyed, which is not recorded yet",
        }
    }

    fn with(self, error: ForgetError) -> Unfinished {
        Unfinished { error, progress: self }
    }
}

/// The erasure is incomplete.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub error: ForgetError,
    pub progress: Progress,
}

/// Erases customers.
#[derive(Debug)]
pub(crate) struct Erasure<L, P, C, V> {
    pub orchestrator: Orchestrator<L, P, C>,
    pub log: L,
    pub keys: Arc<dyn CustomerKeys>,
    pub views: V,
}

impl<L: Log, P: Participants, C: Clock, V: CustomerOrders> Erasure<L, P, C, V> {
    /// Destroys the customer's keys, unless an order still needs them. An order that another
    /// instance accepts meanwhile may be missed. Its personal data become unreadable all the same,
    /// within the time for which a key stays in memory. The work stops at the time limit.
    pub async fn forget(
        &self,
        customer: &str,
        attribution: &Attribution,
        limit: Instant,
    ) -> Result<Forgotten, Unfinished> {
        self.require_ended(customer, limit).await.map_err(|error| Progress::Nothing.with(error))?;
        let destroyed = by(limit, POSTGRES, self.keys.destroy(customer)).await;
        let keys = destroyed.map_err(|error| Progress::Unknown.with(error))?;
        let told = self.tell_of_all(customer, keys, attribution, limit).await;
        told.map_err(|error| if keys == 0 { Progress::Nothing } else { Progress::KeysDestroyed }.with(error))
    }

    /// Refuses while an order still needs the personal data.
    async fn require_ended(&self, customer: &str, limit: Instant) -> Result<(), ForgetError> {
        self.views_have_all(limit).await?;
        let open = by_views(limit, self.views.open(customer, MAX_NAMED)).await?;
        if open.is_empty() { Ok(()) } else { Err(ForgetError::OrdersOpen(open)) }
    }

    async fn tell_of_all(
        &self,
        customer: &str,
        keys: u64,
        attribution: &Attribution,
        limit: Instant,
    ) -> Result<Forgotten, ForgetError> {
        self.views_have_all(limit).await?;
        let in_the_clear = by_views(limit, self.views.in_the_clear(customer)).await?;
        let open = by_views(limit, self.views.not_ended(customer, MAX_NAMED)).await?;
        let (mut orders, mut position, mut after) = (0, None, None);
        loop {
            let most = PersonalDataErased::MAX_ORDERS;
            let page = by_views(limit, self.views.ended(customer, after.as_ref(), most)).await?;
            let (is_last, is_nothing) = (page.len() < most, page.is_empty());
            // A customer whose orders are in no view yet may have a key.
            if is_nothing && (position.is_some() || keys == 0) {
                break;
            }
            (orders, after) = (orders + page.len(), page.last().cloned());
            position = Some(by(limit, "the log", self.tell(customer, page, attribution)).await?);
            if is_last {
                break;
            }
        }
        let position = position.ok_or_else(|| ForgetError::Unknown(customer.to_owned()))?;
        Ok(Forgotten { orders, in_the_clear, open, position })
    }

    /// Informs every holder of copies, by events.
    async fn tell(
        &self,
        customer: &str,
        orders: Vec<OrderId>,
        attribution: &Attribution,
    ) -> Result<Position, ForgetError> {
        let clock = self.orchestrator.clock();
        let erased = PersonalDataErased { customer_id: customer.to_owned(), orders, at: clock.now().at };
        let message = erased.message(clock.id(), &attribution.actor, &attribution.reason)?;
        Ok(self.log.append(ERASURES, Expected::Any, vec![event(message)]).await?.position)
    }

    /// Waits until the views have all appends of this instance.
    async fn views_have_all(&self, limit: Instant) -> Result<(), ForgetError> {
        let Some(wanted) = self.orchestrator.last_saved() else { return Ok(()) };
        while by_views(limit, self.views.position()).await? < Some(wanted.commit) {
            if Instant::now() + POLL > limit {
                return Err(ForgetError::ViewsBehind);
            }
            sleep(POLL).await;
        }
        Ok(())
    }
}

const POSTGRES: &str = "Postgres";

/// The result of work that needs an answer of `whom`, or an error at the limit.
async fn by<T, E: Into<ForgetError>>(
    limit: Instant,
    whom: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, ForgetError> {
    timeout_at(limit, work).await.map_err(|_| ForgetError::Silent(whom))?.map_err(Into::into)
}

async fn by_views<T, E: std::fmt::Display>(
    limit: Instant,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, ForgetError> {
    by(limit, POSTGRES, async { work.await.map_err(|error| ForgetError::Views(error.to_string())) }).await
}
