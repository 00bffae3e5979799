//! `tenuto projector`: projects the log into the views.

use clap::Args;
use event_store::client::EventStore;
use projector::ProjectorOptions;

use super::RoleResult;
use crate::args::ServerUrls;
use crate::{backends, signals};

/// Options of `tenuto projector`.
#[derive(Debug, Args)]
pub(crate) struct ProjectorArgs {
    #[command(flatten)]
    servers: ServerUrls,
}

pub(crate) async fn run(args: ProjectorArgs) -> RoleResult {
    let stop = signals::stop_token()?;
    let event_store = EventStore::connect(args.servers.named_event_store()?)?;
    let pool = backends::views(args.servers.named_postgres()?).await?;
    println!("projecting");
    Ok(projector::run(ProjectorOptions::default(), event_store, pool, stop).await?)
}
