//! Taking a new order: its id, its idempotency key, its workflow, and then the decision to place
//! it.

mod used_keys;

use std::sync::Arc;

use domain::ids::OrderId;
use domain::order::NewOrder;
use domain::workflow::Workflow;
use uuid::Uuid;

use self::used_keys::{Content, UsedKeys};
use crate::clock::Clock;
use crate::keys::CustomerKeys;
use crate::log::Log;
use crate::orchestrator::{Accepted, By, IdOrigin, NoDriver, Orchestrator, PlaceError};
use crate::participants::Participants;

pub(crate) use used_keys::KeyRefused;

/// A request for a new order.
#[derive(Debug)]
pub(crate) struct NewOrderRequest {
    /// The order.
    pub order: NewOrder,
    /// The principal that places it; `None`: callers are not authenticated.
    pub placed_by: Option<String>,
    /// The key under which the same request may be sent again.
    pub idempotency_key: Option<String>,
    /// W3C Trace Context.
    pub traceparent: Option<Arc<str>>,
}

/// Why no order was taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotPlaced {
    #[error(transparent)]
    Key(#[from] KeyRefused),
    #[error(transparent)]
    Order(#[from] PlaceError),
    #[error("placing the order broke down")]
    BrokeDown,
}

impl NotPlaced {
    /// The reason, for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Key(KeyRefused::Running) => "key_in_use",
            Self::Key(KeyRefused::OtherContent) => "key_used_before",
            Self::Key(KeyRefused::Unreadable) => "key_unreadable",
            Self::Order(PlaceError::UnknownWorkflow(_)) => "unknown_workflow",
            Self::Order(PlaceError::NoAddress { .. }) => "no_address",
            Self::Order(PlaceError::OtherContent(_) | PlaceError::Foreign(_)) => "other_content",
            Self::Order(PlaceError::Unreadable(..)) => "unreadable",
            Self::Order(PlaceError::Refused(_)) => "refused",
            Self::Order(PlaceError::TooLarge(_)) => "too_large",
            Self::Order(PlaceError::Incomplete(_)) => "incomplete",
            Self::Order(PlaceError::NoDriver(NoDriver::Full)) => "overloaded",
            Self::Order(PlaceError::NoDriver(NoDriver::Leaving)) => "leaving",
            Self::Key(KeyRefused::Failed(_)) | Self::Order(PlaceError::Failed(_)) | Self::BrokeDown => "failed",
        }
    }
}

/// Takes orders.
#[derive(Debug)]
pub(crate) struct Placing<L, P, C> {
    orchestrator: Orchestrator<L, P, C>,
    used_keys: UsedKeys<L>,
    customer_keys: Arc<dyn CustomerKeys>,
}

impl<L: Log, P: Participants, C: Clock> Placing<L, P, C> {
    pub fn new(orchestrator: Orchestrator<L, P, C>, log: L, customer_keys: Arc<dyn CustomerKeys>) -> Self {
        Self { orchestrator, used_keys: UsedKeys::new(log), customer_keys }
    }

    /// Takes an order: once this returns, it is in the log. The same request again gives the same
    /// answer.
    pub async fn place(&self, request: NewOrderRequest) -> Result<Accepted, NotPlaced> {
        let NewOrderRequest { order, placed_by, idempotency_key, traceparent } = request;
        let (id, origin) = new_id(&order);
        let idempotency_key = idempotency_key.map(|key| of_principal(placed_by.as_deref(), &key));
        let by = By { placed_by, traceparent };
        let Some(key) = idempotency_key else {
            let workflow = self.orchestrator.workflow_for(&order).await?;
            return self.record(workflow, id, origin, order, by).await;
        };
        let _running = self.used_keys.begin(&key)?;
        // Before the key is used up, so that a corrected request may use it again.
        let workflow = self.orchestrator.workflow_for(&order).await?;
        let content = self.content(&order).await?;
        let order_id = self.used_keys.claim(&key, id.clone(), order.order_id.is_some(), &content).await?;
        let origin = if order_id == id { origin } else { IdOrigin::Given };
        self.record(workflow, order_id, origin, order, by).await
    }

    /// Identifies this content in the record of a key, without revealing the personal data in it.
    async fn content(&self, order: &NewOrder) -> Result<Content, PlaceError> {
        let fingerprint = order.fingerprint();
        if order.personal().is_empty() {
            return Ok(Content { digest: fingerprint.clone(), fingerprint });
        }
        let sealed_with = self.customer_keys.of_customer(&order.customer.id).await;
        let sealed_with = sealed_with.map_err(|error| PlaceError::Failed(error.to_string()))?;
        Ok(Content { digest: sealed_with.digest(&fingerprint), fingerprint })
    }

    /// Runs as a separate task, which continues when the client disconnects: an order in the log
    /// needs its driver. Boxed, since a runtime moves a task several times, and this one is large.
    async fn record(
        &self,
        workflow: Arc<Workflow>,
        order_id: OrderId,
        origin: IdOrigin,
        order: NewOrder,
        by: By,
    ) -> Result<Accepted, NotPlaced> {
        let orchestrator = self.orchestrator.clone();
        let recording = Box::pin(async move { orchestrator.place_on(workflow, order_id, origin, order, by).await });
        Ok(tokio::spawn(recording).await.map_err(|_| NotPlaced::BrokeDown)??)
    }
}

/// Two principals may use the same idempotency key. No key has a NUL.
fn of_principal(principal: Option<&str>, key: &str) -> String {
    principal.map_or_else(|| key.to_owned(), |principal| format!("{principal}\0{key}"))
}

/// The id of the order, or a generated one.
fn new_id(order: &NewOrder) -> (OrderId, IdOrigin) {
    if let Some(id) = &order.order_id {
        return (id.clone(), IdOrigin::Given);
    }
    let id = OrderId::new(Uuid::now_v7().to_string()).expect("a UUID consists of hexadecimal digits and dashes");
    (id, IdOrigin::Generated)
}
