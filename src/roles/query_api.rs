//! `tenuto query-api`: GraphQL over the views, and over the log for what was.

use clap::Args;
use follower::LogAlarm;
use query_api::LagMeter;

use super::RoleResult;
use crate::args::{Listen, ServerUrls};
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
    let event_store = backends::log(args.servers.named_event_store()?).await?;
    let pool = backends::views(args.servers.named_postgres()?).await?;
    let listener = serve::bind(args.listen.listen).await?;
    println!("queries at http://{}/graphql", listener.local_addr()?);
    let lag = Some(LagMeter::new(pool.clone(), event_store.clone()));
    let alarm = LogAlarm::default();
    let guard = LogGuard::start(event_store.clone(), pool.clone(), alarm.clone(), stop.clone());
    // Without the log, what is asked of the views is answered all the same.
    let footing = Footing {
        event_store: None,
        pool: Some(pool.clone()),
        lag: lag.clone(),
        alarm: alarm.clone(),
        doors: None,
        keys: guard.keys(),
    };
    let options = query_api::Options { leaving: stop.clone(), ..query_api::Options::default() };
    let router = query_api::router(pool, event_store, &options)
        .merge(health::router(footing, stop.clone()))
        .merge(metrics::router(lag, Some(options.stats), alarm, guard.keys()));
    Ok(serve::serve(listener, router, stop).await?)
}
