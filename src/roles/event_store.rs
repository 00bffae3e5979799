//! `tenuto event-store`: the embedded `EventStoreDB` node alone.

use std::net::SocketAddr;

use clap::Args;
use event_store::node::{Node, NodeOptions};

use super::RoleResult;
use crate::args::DataFolder;
use crate::signals;

/// Options of `tenuto event-store`.
#[derive(Debug, Args)]
pub(crate) struct EventStoreArgs {
    #[command(flatten)]
    data: DataFolder,
    /// The address to listen on; port 0 takes a free one
    #[arg(long, env = "TENUTO_EVENTSTORE_LISTEN", default_value = "127.0.0.1:2113", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
}

pub(crate) async fn run(args: EventStoreArgs) -> RoleResult {
    let stop = signals::stop_token()?;
    let node =
        Node::start(NodeOptions { address: args.listen, ..NodeOptions::in_folder(args.data.data.join("event-store")) })
            .await?;
    println!("the log at {}", node.connection_string());
    tokio::select! {
        () = stop.cancelled() => {}
        () = node.asked_to_shut_down() => {}
    }
    node.shutdown().await;
    Ok(())
}
