//! `tenuto dev`, or `tenuto` alone: everything in one process, on one port.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use access::Exposure;
use authentication::{Authentication, AuthenticationArgs};
use axum::Router;
use clap::Args;
use command_handler::{Controls, Settings};
use http_client::Rule;
use participants::Options;
use projector::ProjectorOptions;
use query_api::refused_while;
use secrets::without_secrets;
use tokio_util::sync::CancellationToken;

use super::command_handler::{Driving, Handler};
use super::participants::{Mail, reference_services};
use super::readiness::Told;
use super::watched::{Alarms, Watched, Watching};
use super::{HTTP_SERVER, RoleResult};
use crate::backends::Backends;
use command_line::data_folder::DataFolder;
use command_line::output;
use command_line::running::Running;
use http_server::door::Door;
use http_server::{Listen, Listener, ListenerFiles};
use probes::health::Dependencies;
use servers::ServerUrls;
use servers::stream_prefix::adopt_verified;
use signals::reload::Reload;
use supervisor::Supervisor;
use traces::{CollectorArgs, Export};

/// How long a request waits for the log and Postgres, which may have to be created first.
const STARTING_ALL: Duration = Duration::from_secs(10);

/// Options of `tenuto dev`.
#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    #[command(flatten)]
    data: DataFolder,
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    authentication: AuthenticationArgs,
    #[command(flatten)]
    servers: ServerUrls,
    #[command(flatten)]
    driving: Driving,
    #[command(flatten)]
    mail: Mail,
    #[command(flatten)]
    collector: CollectorArgs,
    /// The loopback port of the embedded log; 0 takes a free one
    #[arg(long, env = "TENUTO_EVENTSTORE_PORT", default_value_t = 0, value_name = "PORT")]
    event_store_port: u16,
    /// Do not place the three sample orders
    #[arg(long, env = "TENUTO_NO_SAMPLES")]
    no_samples: bool,
}

pub(crate) async fn run(args: DevArgs, reload: Reload) -> RoleResult {
    let (stop, asked) = signals::stop::of_role()?;
    let authentication = args.authentication.begin()?;
    let listener = args.listen.bind(authentication.of_gate()).await?;
    let (base, controls, of_reload) = (listener.url()?, listener.controls(), authentication.clone());
    let of_console = super::query_api::console(&listener, &authentication, true);
    let (services_at, services_listener) = reference_services_at(&base, &authentication).await?;
    let own = services_at.parse().ok().and_then(|at| Rule::of(&at));
    let (limits, of_own) = (Controls::new(args.driving.local().limits(own.clone())), own.clone());
    let driving = (args.driving.local(), limits.clone(), authentication.second_person());
    tokio::spawn(reload.run(asked, move |args: &DevArgs| {
        let change = controls.prepare(&args.listen)?.and(of_reload.prepare(&args.authentication)?);
        Ok(change.and(limits.prepare(args.driving.local().limits(of_own.clone()))?))
    }));
    let node = SocketAddr::from((Ipv4Addr::LOCALHOST, args.event_store_port));
    let (door, closed, alarms) = (Door::new(STARTING_ALL), CancellationToken::new(), Alarms::of(&listener));
    let mut server = Supervisor::new(closed.clone(), alarms.tasks.clone());
    server.run(HTTP_SERVER, http_server::serve(listener, door.router(), closed));
    tokio::spawn(service_manager::report(door.clone()));
    let (alarm, secrets) = (alarms.log.clone(), args.driving.signing.participant_secrets());
    let services = Options { alarm: alarm.clone(), secrets, ..args.mail.options()? };
    door.waits_for("the log and Postgres");
    let start = async {
        let backends = Backends::start(&args.servers, &args.data, node).await?;
        participants::migrate(&backends.pool).await?;
        Ok::<_, Box<dyn std::error::Error>>(backends)
    };
    let (told, waits) = (Told::default(), Dependencies { door: Some(door.clone()), ..Dependencies::default() });
    let mut backends = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(server.stop().await?),
        started = start => started?,
        never = told.tell(&waits) => match never {},
    };
    let (event_store, pool) = (backends.event_store.clone(), backends.pool.clone());
    authentication.look_up_keys_in(&pool);
    let mut export = Export::new(&args.collector, args.driving.sampling, &event_store)?;
    let alarms = Alarms { traces: export.figures.clone(), ..alarms };
    let background = CancellationToken::new();
    let queries = super::query_api::options(stop.clone(), authentication.second_person());
    let projecting = export.observed(ProjectorOptions { alarm: alarm.clone(), ..ProjectorOptions::default() });
    let (leaving, projector) = (&stop, Some(&projecting.health));
    let watched =
        Watched { event_store: &event_store, pool: &pool, alarms: &alarms, leaving, closed: &background, projector };
    let Watching { guard, dependencies, probes } = watched.start(Some(&door), Some(&queries.stats));
    door.waits_behind("the log, which is compared with the views", probes.clone());
    let (settings, leaving) = (with_own_participants(args.driving.settings(own)?, &services_at), stop.clone());
    let start = async {
        guard.verified().await;
        adopt_verified(&event_store, args.servers.stream_prefix.as_deref()).await?;
        Handler::start(&event_store, &pool, settings, base.clone(), &driving, leaving, &alarms).await
    };
    let handler = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(None),
        started = start => started.map(Some),
        reason = backends.broken() => Err(reason.into()),
        ended = server.failed() => Err(ended.into()),
        never = told.tell(&dependencies) => match never {},
    };
    let Some(handler) = handler? else {
        server.stop().await?;
        background.cancel();
        backends.stop().await;
        return Ok(());
    };
    let of_log = super::query_api::of_log(&event_store, &pool, &stop);
    let queries = query_api::router(pool.clone(), event_store.clone(), &queries);
    let own = handler.router.clone().merge(refused_while(queries, move || alarm.reason())).merge(of_log);
    let of_services = Router::new().nest("/participants", participants::router(pool.clone(), services.clone()));

    let mut tasks = Supervisor::new(background.clone(), alarms.tasks.clone());
    let own = with_services((own, of_services), services_listener, &mut tasks, &background);
    tasks.run("the export of spans", export.run(background.clone()));
    // The projector waits while log or Postgres are down, so it ends only if waiting does not help.
    tasks.run("the projector", projector::run(projecting, event_store.clone(), pool.clone(), background));
    reference_services(&mut tasks, &pool, Some(event_store), &services);
    door.open(own.merge(query_api::console(&of_console)).merge(probes));

    let _record = running(&base, &backends).record(&args.data.data);
    print_places((&base, &services_at), &backends, &args);
    let shown = async {
        // The samples have no credentials.
        if !args.no_samples && authentication.of_gate().is_none() {
            cli::samples::show(&base).await;
        }
        std::future::pending::<()>().await;
    };
    let broken = tokio::select! {
        () = stop.cancelled() => None,
        () = shown => None,
        never = told.tell(&dependencies) => match never {},
        reason = backends.broken() => Some(reason),
        ended = tasks.failed() => Some(ended.to_string()),
        ended = server.failed() => Some(ended.to_string()),
    };
    stop.cancel();
    let of_server = server.stop().await;
    let of_handler = handler.stop().await;
    let of_tasks = tasks.stop().await;
    backends.stop().await;
    // The first failure is the reason: the others may follow from it.
    broken.map_or(Ok(()), Err)?;
    Ok(of_server.and(of_handler).and(of_tasks)?)
}

/// Serves the reference services as well: on their listener, if they have one.
fn with_services(
    (own, services): (Router, Router),
    listener: Option<Listener>,
    tasks: &mut Supervisor,
    stop: &CancellationToken,
) -> Router {
    let Some(listener) = listener else { return own.merge(services) };
    tasks.run("the HTTP server of the reference services", http_server::serve(listener, services, stop.clone()));
    own
}

/// Where the reference services are reached. Their callers are not authenticated, so if others are,
/// they have a loopback address of their own.
async fn reference_services_at(
    base: &str,
    authentication: &Authentication,
) -> Result<(String, Option<Listener>), Box<dyn std::error::Error>> {
    if authentication.of_gate().is_none() {
        return Ok((format!("{base}/participants"), None));
    }
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = http_server::bind(any_port, &Exposure::default(), &ListenerFiles::default(), None).await?;
    Ok((format!("{}/participants", listener.url()?), Some(listener)))
}

/// With the URLs of the reference services, which this process serves, where the environment has no
/// other.
fn with_own_participants(mut settings: Settings, services_at: &str) -> Settings {
    for name in ["orders", "payments", "shipping", "notifications"] {
        let url = settings.urls.entry(format!("{}_URL", name.to_uppercase()));
        url.or_insert_with(|| format!("{services_at}/{name}").into());
    }
    settings
}

/// The record that commands in the same folder find.
fn running(base: &str, backends: &Backends) -> Running {
    Running {
        pid: std::process::id(),
        server: Some(base.to_owned()),
        event_store: backends.event_store_url.clone(),
        postgres: Some(backends.postgres_url.clone()),
    }
}

fn print_places((base, services_at): (&str, &str), backends: &Backends, args: &DevArgs) {
    let log = without_secrets(&backends.event_store_url);
    let views = without_secrets(&backends.postgres_url);
    let data = args.data.data.display();
    output::announce(&format!(
        "Tenuto is up.\n\n  console    {base}/\n  commands   POST {base}/orders\n  queries    {base}/graphql\n  \
         mailbox    {services_at}/notifications/mailbox\n  log        {log}\n  views      {views}\n  \
         data       {data}\n\n"
    ));
}
