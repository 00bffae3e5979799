//! The paths of the payments.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::{Payments, read};
use crate::participant::{Context, Service, act};

pub(crate) fn routes(context: &Context) -> Router {
    let service = Service::<Payments>::new(context);
    Router::new()
        .route("/totals", get(read::totals))
        .route("/{name}", post(act::<Payments>).get(read::show))
        .with_state(Arc::new(service))
}
