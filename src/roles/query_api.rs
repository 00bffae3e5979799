//! `tenuto query-api`: GraphQL over the views, and over the log for what was.

use access::SecondPerson;
use authentication::{Authentication, AuthenticationArgs};
use axum::Router;
use clap::Args;
use event_store::EventStore;
use forward::{Forward, Role};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::watched::{Alarms, Watched};
use super::{HTTP_SERVER, RoleResult};
use command_line::output;
use http_server::door::{Door, STARTING};
use http_server::{Listen, Listener};
use query_api::{ConsoleOptions, refused_while};
use servers::ServerUrls;
use servers::stream_prefix::adopt_begun;
use signals::reload::Reload;
use supervisor::Supervisor;

/// Options of `tenuto query-api`.
#[derive(Debug, Args)]
pub(crate) struct QueryApiArgs {
    #[command(flatten)]
    servers: ServerUrls,
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    authentication: AuthenticationArgs,
    /// The URL of a command handler: requests that this role does not answer itself, such as the
    /// console's commands, go there through this server. Without it, the console only shows orders
    #[arg(long, env = "TENUTO_COMMAND_URL", value_name = "URL")]
    command_url: Option<String>,
}

/// The role that answers what this one does not.
const COMMANDS: Role = Role { name: "the command handler", option: "--command-url" };

/// Subscriptions take at most three quarters of a listener's connections, so that requests are
/// answered besides.
pub(super) fn options(leaving: CancellationToken, second_person: SecondPerson) -> query_api::Options {
    let options = query_api::Options::default();
    let most = http_server::max_connections() * 3 / 4;
    query_api::Options { leaving, second_person, max_connections: options.max_connections.min(most), ..options }
}

/// The console of this listener. In `tenuto dev`, the server takes commands too, and has the
/// reference services if their callers are not authenticated.
pub(super) fn console(listener: &Listener, authentication: &Authentication, is_dev: bool) -> ConsoleOptions {
    let authenticates = authentication.of_gate().is_some();
    ConsoleOptions {
        authenticates,
        issuers: authentication.console_issuers(),
        takes_commands: is_dev,
        has_reference_services: is_dev && !authenticates,
        is_open: listener.is_open(),
    }
}

/// What auditors and authors ask, which is answered from the log.
pub(super) fn of_log(log: &EventStore, pool: &PgPool, leaving: &CancellationToken) -> Router {
    let audits = audit::http::router(log.clone(), pool.clone(), leaving.clone());
    audits.merge(lab::http::router(log.clone(), leaving.clone()))
}

pub(crate) async fn run(args: QueryApiArgs, reload: Reload) -> RoleResult {
    let (stop, asked) = signals::stop::of_role()?;
    let event_store = EventStore::connect(args.servers.named_event_store()?)?;
    let postgres = args.servers.named_postgres()?;
    let authentication = args.authentication.begin()?;
    let listener = args.listen.bind(authentication.of_gate()).await?;
    let (url, controls, of_reload) = (listener.url()?, listener.controls(), authentication.clone());
    tokio::spawn(reload.run(asked, move |args: &QueryApiArgs| {
        Ok(controls.prepare(&args.listen)?.and(of_reload.prepare(&args.authentication)?))
    }));
    let takes_commands = args.command_url.is_some();
    let commands = args.command_url.map(|url| Forward::new(COMMANDS, &url, stop.clone(), STARTING)).transpose()?;
    let of_console = ConsoleOptions { takes_commands, ..console(&listener, &authentication, false) };
    let (door, alarms) = (Door::new(STARTING), Alarms::of(&listener));
    let mut tasks = Supervisor::new(stop.clone(), alarms.tasks.clone());
    tasks.run(HTTP_SERVER, http_server::serve(listener, door.router(), stop.clone()));
    tokio::spawn(service_manager::report(door.clone()));
    door.waits_for("Postgres");
    let pool = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(tasks.stop().await?),
        pool = servers::views_beside(&event_store, postgres) => pool?,
    };
    authentication.look_up_keys_in(&pool);
    let (adopting, given) = (event_store.clone(), args.servers.stream_prefix.clone());
    // Not waited for: views are served without the log too. Only earlier states of orders are read
    // from the log.
    let leaving = stop.clone();
    tasks.keep_running("the look-up of the stream prefix", move || {
        let (adopting, given, leaving) = (adopting.clone(), given.clone(), leaving.clone());
        async move {
            if let Err(error) = adopt_begun(&adopting, given.as_deref()).await {
                tracing::error!(%error, "what orders' streams are called is not known: earlier states of orders are not shown");
            }
            leaving.cancelled().await;
        }
    });
    let (leaving, closed) = (&stop, &stop);
    let watched = Watched { event_store: &event_store, pool: &pool, alarms: &alarms, leaving, closed, projector: None };
    let options = options(stop.clone(), authentication.second_person());
    // During an outage of the log, queries are still answered from the views; `/readyz` reports the
    // outage.
    let probes = watched.start(None, Some(&options.stats)).probes;
    let queries = query_api::router(pool.clone(), event_store.clone(), &options);
    let wrong_log = alarms.log.clone();
    let router = refused_while(queries, move || wrong_log.reason())
        .merge(query_api::console(&of_console))
        .merge(of_log(&event_store, &pool, &stop))
        .merge(probes);
    match commands {
        Some(commands) => door.open_with_rest(router, commands.router()),
        None => door.open(router),
    }
    output::announce(&format!("queries at {url}/graphql\nconsole at {url}/\n"));
    let failed = tokio::select! {
        () = stop.cancelled() => None,
        ended = tasks.failed() => Some(ended),
    };
    let stopped = tasks.stop().await;
    Ok(failed.map_or(stopped, Err)?)
}
