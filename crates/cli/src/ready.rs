//! `tenuto ready`: whether a role on this machine is ready. A container that has no other program
//! uses it as its health check.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use http_client::{at_most, builder, causes};

use crate::{CommandError, NOT_AS_ASKED};
use command_line::output;

/// A probe is answered within a second.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest report that is read, in bytes.
const MAX_REPORT: usize = 64 * 1024;

/// Options of `tenuto ready`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 if it is ready; 1 if it is not, or does not answer.")]
pub struct ReadyArgs {
    /// The address that the role listens on
    #[arg(long, env = "TENUTO_LISTEN", default_value = "127.0.0.1:7007", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The certificate that the role has, if it has one
    #[arg(long, env = "TENUTO_TLS_CERTIFICATE", value_name = "FILE")]
    tls_certificate: Option<PathBuf>,
}

/// Exit code 1: the role is not ready, or does not answer.
pub async fn run(args: ReadyArgs) -> Result<ExitCode, CommandError> {
    let scheme = if args.tls_certificate.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}/readyz", reached_at(args.listen));
    match probe(&url).await.map_err(CommandError::Setup)? {
        Ok(report) => {
            let printed = output::print(&output::printable_lines(&report));
            Ok(output::forgive_closed_pipe(printed.map(|()| ExitCode::SUCCESS))?)
        }
        Err(reason) => {
            output::complain(&format!("tenuto: {url}: {}", reason.trim_end()));
            Ok(ExitCode::from(NOT_AS_ASKED))
        }
    }
}

/// Where this machine reaches a role that listens there.
fn reached_at(listen: SocketAddr) -> SocketAddr {
    let loopback = match listen.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    let ip = if listen.ip().is_unspecified() { loopback } else { listen.ip() };
    SocketAddr::new(ip, listen.port())
}

/// What a role reports: the error is why it is not ready.
async fn probe(url: &str) -> reqwest::Result<Result<String, String>> {
    // The certificate is for the name that clients use, not for this address. No secret is sent.
    let client = builder()?.timeout(PATIENCE).danger_accept_invalid_certs(true).build()?;
    let answer = match client.get(url).send().await {
        Ok(answer) => answer,
        Err(error) => return Ok(Err(causes(&error).last().map(ToString::to_string).unwrap_or_default())),
    };
    let is_ready = answer.status().is_success();
    let (report, _) = at_most(answer, MAX_REPORT).await;
    let report = String::from_utf8_lossy(&report).into_owned();
    Ok(if is_ready { Ok(report) } else { Err(report) })
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;

    /// What is printed about a role that answers a probe with this.
    async fn reported(status: StatusCode, text: &'static str) -> Result<String, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/readyz", listener.local_addr().unwrap());
        let router = Router::new().route("/readyz", get(async move || (status, text)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        probe(&url).await.unwrap()
    }

    #[tokio::test]
    async fn a_role_is_ready_if_its_probe_succeeds_and_else_there_is_a_reason() {
        assert_eq!(reported(StatusCode::OK, "ready\n").await, Ok("ready\n".to_owned()));
        let away = "the log does not answer\n";
        assert_eq!(reported(StatusCode::SERVICE_UNAVAILABLE, away).await, Err(away.to_owned()));
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let refused = probe(&format!("http://{closed}/readyz")).await.unwrap().unwrap_err();
        assert!(refused.contains("refused"), "{refused}");
    }

    #[test]
    fn a_role_that_listens_everywhere_is_reached_on_loopback() {
        for (listen, reached) in
            [("0.0.0.0:7007", "127.0.0.1:7007"), ("[::]:1", "[::1]:1"), ("10.0.0.7:7007", "10.0.0.7:7007")]
        {
            assert_eq!(reached_at(listen.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
