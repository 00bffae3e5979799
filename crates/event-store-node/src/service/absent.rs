//! The services that this node does not have.
//!
//! `Projections` is not there on a node that runs none, as on a server (`--run-projections=None`), and a call to it is
//! answered like one to any unknown service. `Users` is treated in the same way: without access control (`--insecure`) there are none,
//! and a server leaves such calls without an answer for as long as the client waits, which helps nobody.

use tonic::Status;
use tonic::service::Routes;

/// Answers calls to any service that is not among these.
pub(crate) fn answered(routes: Routes) -> Routes {
    let paths = routes.into_axum_router();
    paths.fallback(|| async { Status::unimplemented("Service is unimplemented.").into_http() }).into()
}
