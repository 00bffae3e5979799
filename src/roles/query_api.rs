//! `tenuto query-api`: GraphQL over the views.

use clap::Args;

use super::RoleResult;
use crate::args::{Listen, ServerUrls};
use crate::{backends, health, serve, signals};

/// Options of `tenuto query-api`.
#[derive(Debug, Args)]
pub(crate) struct QueryApiArgs {
    #[command(flatten)]
    servers: ServerUrls,
    #[command(flatten)]
    listen: Listen,
}

pub(crate) async fn run(args: QueryApiArgs) -> RoleResult {
    let stop = signals::stop_token()?;
    let pool = backends::views(args.servers.named_postgres()?).await?;
    let listener = serve::bind(args.listen.listen).await?;
    println!("queries at http://{}/graphql", listener.local_addr()?);
    let router = query_api::router(pool.clone(), &query_api::Options::default()).merge(health::router(
        None,
        Some(pool),
        stop.clone(),
    ));
    Ok(serve::serve(listener, router, stop).await?)
}
