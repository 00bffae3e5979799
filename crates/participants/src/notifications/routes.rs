//! The paths of the notifications.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::{Notifications, mailbox};
use crate::participant::{Context, Service, act};

pub(crate) fn routes(context: &Context) -> Router {
    let service = Service::<Notifications>::new(context);
    Router::new()
        .route("/mailbox", get(mailbox::list))
        .route("/{name}", post(act::<Notifications>))
        .with_state(Arc::new(service))
}
