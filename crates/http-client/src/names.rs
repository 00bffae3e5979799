//! Host names, resolved by the system. A failure is distinguished from a refused connection.

use std::io;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver.
#[derive(Debug)]
pub(super) struct SystemNames;

/// A host name that has no address here.
#[derive(Debug, thiserror::Error)]
#[error("the host {host} is not found: {cause}")]
pub(super) struct NotFound {
    pub host: String,
    /// Not a source: the chain of causes must find this error itself.
    pub cause: io::Error,
}

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await.map(Vec::from_iter);
            match found {
                Ok(addresses) => Ok(Box::new(addresses.into_iter()) as Addrs),
                Err(cause) => Err(NotFound { host, cause }.into()),
            }
        })
    }
}
