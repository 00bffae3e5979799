//! `tenuto query-api`: GraphQL over the views, and over the log for what was.

use clap::Args;
use event_store::client::EventStore;

use super::RoleResult;
use super::watched::{Alarms, Watched};
use crate::args::{Listen, ServerUrls};
use crate::commands::output;
use crate::door::{Door, STARTING};
use crate::stream_prefix::adopt_begun;
use crate::wrong_log::refused_while_raised;
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
        pool = backends::views_beside(&event_store, postgres) => pool?,
    };
    let (adopting, given) = (event_store.clone(), args.servers.stream_prefix.clone());
    // Not waited for: views are served without the log too. Only earlier states of orders are read
    // from the log.
    tokio::spawn(async move {
        if let Err(error) = adopt_begun(&adopting, given.as_deref()).await {
            tracing::error!(%error, "what orders' streams are called is not known: earlier states of orders are not shown");
        }
    });
    let alarms = Alarms::default();
    let (leaving, closed) = (&stop, &stop);
    let watched = Watched { event_store: &event_store, pool: &pool, alarms: &alarms, leaving, closed, projector: None };
    let options = query_api::Options { leaving: stop.clone(), ..serve::query_options() };
    // During an outage of the log, queries are still answered from the views; `/readyz` reports the
    // outage.
    let probes = watched.start(None, Some(&options.stats)).probes;
    let queries = query_api::router(pool.clone(), event_store.clone(), &options);
    let router = refused_while_raised(queries, alarms.log.clone())
        .merge(probes)
        .method_not_allowed_fallback(query_api::method_not_allowed);
    door.open(router);
    output::announce(&format!("queries at http://{address}/graphql\n"));
    Ok(server.await??)
}
