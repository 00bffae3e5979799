//! `tenuto query-api`: GraphQL over the views, and over the log for what was.

use clap::Args;
use event_store::client::EventStore;
use follower::LogAlarm;
use query_api::LagMeter;

use super::RoleResult;
use crate::args::{Listen, ServerUrls};
use crate::commands::output;
use crate::door::{Door, STARTING};
use crate::health::Footing;
use crate::log_guard::LogGuard;
use crate::{backends, health, metrics, serve, signals};

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
    let lag = Some(LagMeter::new(pool.clone(), event_store.clone()));
    let alarm = LogAlarm::default();
    let guard = LogGuard::start(event_store.clone(), pool.clone(), alarm.clone(), stop.clone());
    // Without the log, what is asked of the views is answered all the same: a balancer is told of it, and nothing is refused.
    let footing = Footing {
        event_store: Some(event_store.clone()),
        pool: Some(pool.clone()),
        lag: lag.clone(),
        alarm: alarm.clone(),
        keys: guard.keys(),
        ..Footing::default()
    };
    let options = query_api::Options { leaving: stop.clone(), ..serve::query_options() };
    let router = query_api::router(pool, event_store, &options)
        .merge(health::router(footing, stop.clone()))
        .merge(metrics::router(lag, Some(options.stats), alarm, guard.keys()))
        .method_not_allowed_fallback(query_api::method_not_allowed);
    door.open(router);
    output::announce(&format!("queries at http://{address}/graphql\n"));
    Ok(server.await??)
}
