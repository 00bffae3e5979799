//! The address that a role listens on: free, or taken by a role that runs already.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use event_store::{EventStore, ReadError};
use event_store_node::NodeError;
use http_client::builder;
use http_server::{ListenError, bind};
use tokio::net::TcpListener;

use super::certificates::LISTENER;
use crate::finding::Finding;
use crate::role::Role;

/// A role answers its probe within a second.
const PATIENCE: Duration = Duration::from_secs(2);

pub fn about(role: &Role) -> String {
    let port = role.address.map_or_else(String::new, |address| format!(" {address}"));
    format!("address{port}")
}

pub async fn check(role: &Role) -> Vec<Finding> {
    let Some(address) = role.address else { return Vec::new() };
    let about = about(role);
    let taken = if role.is_node() { of_node(role, address).await } else { of_http(role, address).await };
    vec![match taken {
        Ok(None) if address.port() == 0 => Finding::ok(about, "the system chooses a free port"),
        Ok(None) => Finding::ok(about, "it is free"),
        Ok(Some(warning)) => Finding::warning(about, warning),
        Err(fault) if is_of_tls(&*fault) => Finding::fault(LISTENER, fault),
        Err(fault) if !is_in_use(&*fault) => Finding::fault(about, fault),
        Err(_) if answers(role, address).await => Finding::ok(about, "a running role answers there"),
        Err(fault) => Finding::fault(about, fault),
    }]
}

type Taken = Result<Option<String>, Box<dyn Error + Send + Sync>>;

/// Listens as the role does, for a moment.
async fn of_http(role: &Role, address: SocketAddr) -> Taken {
    let Ok(authentication) = role.authentication.read() else {
        // The access file is reported by itself. Until it is corrected, who gets in is not known.
        TcpListener::bind(address).await.map_err(|source| refused(address, source))?;
        return Ok(None);
    };
    Ok(bind(address, &role.exposure, &role.tls, authentication.of_gate()).await?.warning())
}

async fn of_node(role: &Role, address: SocketAddr) -> Taken {
    role.tls.load(&[]).map_err(NodeError::from)?;
    let is_protected = role.users.admin_password_file.is_some() && role.tls.tls_certificate.is_some();
    let warning = if is_protected { None } else { role.exposure.permit(address)?.warning() };
    TcpListener::bind(address).await.map_err(|source| NodeError::Address { address, source })?;
    Ok(warning)
}

fn refused(address: SocketAddr, source: io::Error) -> ListenError {
    ListenError::Refused { address, source }
}

/// Whether the files of the certificate cannot be used.
fn is_of_tls(fault: &(dyn Error + Send + Sync + 'static)) -> bool {
    matches!(fault.downcast_ref(), Some(ListenError::Tls(_))) || matches!(fault.downcast_ref(), Some(NodeError::Tls(_)))
}

fn is_in_use(fault: &(dyn Error + Send + Sync + 'static)) -> bool {
    let source = match fault.downcast_ref() {
        Some(ListenError::Refused { source, .. }) => Some(source),
        _ => match fault.downcast_ref() {
            Some(NodeError::Address { source, .. }) => Some(source),
            _ => None,
        },
    };
    source.is_some_and(|source| source.kind() == io::ErrorKind::AddrInUse)
}

/// Whether what listens there is a role of Tenuto.
async fn answers(role: &Role, address: SocketAddr) -> bool {
    let (address, is_secure) = (reached_at(address), role.tls.tls_certificate.is_some());
    if role.is_node() {
        let options = if is_secure { "tls=true&tlsVerifyCert=false" } else { "tls=false" };
        let node = EventStore::connect(&format!("esdb://{address}?{options}"));
        return match node {
            // A node that demands a user refuses the read, and answers.
            Ok(node) => matches!(node.report().await, Ok(_) | Err(ReadError::Refused(_))),
            Err(_) => false,
        };
    }
    let scheme = if is_secure { "https" } else { "http" };
    // The certificate is for the name that clients use. No secret is sent.
    let client = builder().and_then(|client| client.timeout(PATIENCE).danger_accept_invalid_certs(true).build());
    let Ok(client) = client else { return false };
    let answer = client.get(format!("{scheme}://{address}/livez")).send().await;
    let Ok(answer) = answer else { return false };
    answer.text().await.is_ok_and(|text| text == "alive\n")
}

/// Where this machine reaches what listens there.
fn reached_at(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listen.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), listen.port()),
        _ => listen,
    }
}
