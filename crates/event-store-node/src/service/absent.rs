//! The services that this node does not have.
//!
//! A node without projections has no `Projections` service, as a server with
//! `--run-projections=None`: a call to it gets the same answer as a call to an unknown service.
//! A node without users treats `Users` in the same way. A server without access control
//! (`--insecure`) has no users and never answers such a call, which would leave the client waiting.

use tonic::Status;
use tonic::service::Routes;

/// Answers calls to any service that the routes do not have.
pub(crate) fn answered(routes: Routes) -> Routes {
    let paths = routes.into_axum_router();
    paths.fallback(|| async { Status::unimplemented("Service is unimplemented.").into_http() }).into()
}
