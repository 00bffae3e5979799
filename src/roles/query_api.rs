//! `tenuto query-api`: GraphQL over the views, and over the log for what was.

use clap::Args;
use event_store::client::EventStore;

use super::RoleResult;
use super::command_handler::Alarms;
use super::watched::Watched;
use crate::args::{Listen, ServerUrls};
use crate::commands::output;
use crate::door::{Door, STARTING};
use crate::{backends, serve, signals};

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
    let event_store = EventStore::connect(args.servers.named_event_store()?)?;
    let postgres = args.servers.named_postgres()?;
    let listener = serve::bind(args.listen.listen).await?;
    let address = listener.local_addr()?;
    let door = Door::new(STARTING);
    let server = tokio::spawn(serve::serve(listener, door.router(), stop.clone()));
    door.waits_for("Postgres");
    let pool = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(server.await??),
        pool = backends::views_beside(&event_store, &[], postgres) => pool?,
    };
    let alarms = Alarms::default();
    let watched = Watched { event_store: &event_store, pool: &pool, alarms: &alarms, leaving: &stop, closed: &stop };
    let options = query_api::Options { leaving: stop.clone(), ..serve::query_options() };
    // Without the log, what is asked of the views is answered all the same: a balancer is told of it, and nothing is refused.
    let (_guard, probes) = watched.start(None, Some(&options.stats));
    let router = query_api::router(pool.clone(), event_store.clone(), &options)
        .merge(probes)
        .method_not_allowed_fallback(query_api::method_not_allowed);
    door.open(router);
    output::announce(&format!("queries at http://{address}/graphql\n"));
    Ok(server.await??)
}
