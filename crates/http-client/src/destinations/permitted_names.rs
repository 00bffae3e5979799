//! Host names, resolved to permitted addresses only. A client connects to the very addresses that
//! were checked here, so another answer of the name service a moment later changes nothing.

use std::net::IpAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::not_permitted::NotPermitted;

/// Whether requests may go to an address of a host.
type Check = dyn Fn(&str, IpAddr) -> Result<(), NotPermitted> + Send + Sync;

/// A resolver that leaves out the addresses that requests must not go to.
pub(super) struct PermittedNames {
    pub names: Arc<dyn Resolve>,
    pub check: Arc<Check>,
}

impl Resolve for PermittedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, check) = (name.as_str().to_owned(), self.check.clone());
        let found = self.names.resolve(name);
        Box::pin(async move {
            let (mut permitted, mut refused) = (Vec::new(), None);
            for address in found.await? {
                match check(&host, address.ip()) {
                    Ok(()) => permitted.push(address),
                    Err(not_permitted) => refused = Some(not_permitted),
                }
            }
            match refused {
                Some(not_permitted) if permitted.is_empty() => Err(not_permitted.into()),
                _ => Ok(Box::new(permitted.into_iter()) as Addrs),
            }
        })
    }
}
