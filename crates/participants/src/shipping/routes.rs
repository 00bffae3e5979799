//! The paths of shipping.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::{Shipping, read, restock};
use crate::participant::{Context, Service, act};

pub(crate) fn routes(context: &Context) -> Router {
    let service = Service::<Shipping>::new(context);
    Router::new()
        .route("/stock", get(read::stock).post(restock::set))
        .route("/restock", post(restock::add))
        .route("/{name}", post(act::<Shipping>).get(read::shipment))
        .with_state(Arc::new(service))
}
