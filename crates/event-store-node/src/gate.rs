//! A layer in front of the services: it answers a request itself, or passes the request on.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::BoxBody;
use tower::{Layer, Service};

/// The answer, when it is ready.
pub(super) type Answering<E> = BoxFuture<'static, Result<Response<BoxBody>, E>>;

pub(super) trait Gate: Clone {
    fn pass<S>(&self, request: Request<BoxBody>, behind: &mut S) -> Answering<S::Error>
    where
        S: Service<Request<BoxBody>, Response = Response<BoxBody>, Future: Send + 'static> + Clone + Send + 'static;
}

/// A gate as a layer.
#[derive(Clone)]
pub(super) struct Through<G>(pub(super) G);

impl<G: Gate, S> Layer<S> for Through<G> {
    type Service = Gated<G, S>;

    fn layer(&self, service: S) -> Gated<G, S> {
        Gated { gate: self.0.clone(), service }
    }
}

#[derive(Clone)]
pub(super) struct Gated<G, S> {
    gate: G,
    service: S,
}

impl<G, S> Service<Request<BoxBody>> for Gated<G, S>
where
    G: Gate,
    S: Service<Request<BoxBody>, Response = Response<BoxBody>, Future: Send + 'static> + Clone + Send + 'static,
{
    type Response = Response<BoxBody>;
    type Error = S::Error;
    type Future = Answering<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<BoxBody>) -> Self::Future {
        self.gate.pass(request, &mut self.service)
    }
}
