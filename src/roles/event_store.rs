//! `tenuto event-store`: the embedded `EventStoreDB` node alone; and commands on its log.

use std::net::SocketAddr;
use std::num::NonZero;
use std::process::ExitCode;

use access::Exposure;
use clap::Args;
use event_store::EventStore;
use event_store_node::{Advertised, Node, NodeOptions};
use http_server::ListenerFiles;
use maintenance::command::event_store::EventStoreCommand;
use rustix::fs::Mode;
use servers::NodeUsers;
use signals::reload::Reload;

use super::RoleResult;
use command_line::data_folder::DataFolder;
use command_line::output;
use command_line::running::Running;

/// Options of `tenuto event-store`.
#[derive(Debug, Args)]
pub(crate) struct EventStoreArgs {
    #[command(subcommand)]
    command: Option<EventStoreCommand>,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Debug, Args)]
struct NodeArgs {
    #[command(flatten)]
    data: DataFolder,
    /// The address to listen on; port 0 takes a free one
    #[arg(long, env = "TENUTO_EVENTSTORE_LISTEN", default_value = "127.0.0.1:2113", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    #[command(flatten)]
    exposure: Exposure,
    #[command(flatten)]
    tls: ListenerFiles,
    #[command(flatten)]
    users: NodeUsers,
    /// The host that the node names to clients [default: the address at which a client reached the
    /// node]
    #[arg(long, env = "TENUTO_EVENTSTORE_ADVERTISE_HOST", value_name = "HOST")]
    advertise_host: Option<String>,
    /// The port that the node names to clients [default: the port that the node listens on]
    #[arg(long, env = "TENUTO_EVENTSTORE_ADVERTISE_PORT", value_name = "PORT")]
    advertise_port: Option<NonZero<u16>>,
    /// Which projections run: none, or the system's, which link events by category ($ce-…), type
    /// ($et-…), correlation ($bc-…) and stream ($streams)
    #[arg(long, env = "TENUTO_EVENTSTORE_PROJECTIONS", value_enum, default_value = "none")]
    projections: ProjectionsArg,
}

/// The node has no projections that users define.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ProjectionsArg {
    None,
    System,
}

pub(crate) async fn run(args: EventStoreArgs, reload: Reload) -> Result<ExitCode, Box<dyn std::error::Error>> {
    // This process writes only the log, which no other user may read.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    match args.command {
        None => serve(args.node, reload).await.map(|()| ExitCode::SUCCESS),
        Some(command) => Ok(maintenance::command::event_store::run(command).await?),
    }
}

async fn serve(args: NodeArgs, reload: Reload) -> RoleResult {
    let (stop, asked) = signals::stop::of_role()?;
    let users = args.users.passwords()?;
    // Clients that give a password, and not in plain text, may come from other machines.
    let is_protected = users.is_some() && args.tls.tls_certificate.is_some();
    if !is_protected && let Some(warning) = args.exposure.permit(args.listen)?.warning() {
        tracing::warn!("{warning}");
    }
    let advertised = Advertised { host: args.advertise_host, port: args.advertise_port.map(NonZero::get) };
    let folder = args.data.event_store();
    let system_projections = args.projections == ProjectionsArg::System;
    let (address, tls) = (args.listen, args.tls);
    let options = NodeOptions { address, advertised, system_projections, tls, users, ..NodeOptions::in_folder(folder) };
    let node = Node::start(options).await?;
    let tls = node.tls();
    tokio::spawn(reload.run(asked, move |args: &EventStoreArgs| Ok(tls::prepare(tls.as_ref(), &args.node.tls)?)));
    let running =
        Running { pid: std::process::id(), server: None, event_store: node.connection_string(), postgres: None };
    let _record = running.record(&args.data.data);
    output::announce(&format!("the log at {}\n", node.connection_string()));
    // The node is alive while it reads its log.
    let client = EventStore::in_process(node.in_process())?;
    tokio::spawn(service_manager::report_ready(move || {
        let client = client.clone();
        async move { client.head().await.is_ok() }
    }));
    tokio::select! {
        () = stop.cancelled() => {}
        () = node.asked_to_shut_down() => service_manager::stopping(),
    }
    node.shutdown().await;
    Ok(())
}
