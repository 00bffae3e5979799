//! `tenuto projector`: projects the log into the views.

use std::net::SocketAddr;
use std::process::ExitCode;

use access::Exposure;
use authentication::AuthenticationArgs;
use clap::{Args, Subcommand};
use event_store::EventStore;
use maintenance::command::parked;
use projector::ProjectorOptions;

use super::watched::{Alarms, Watched, Watching, wait_for_servers};
use super::{HTTP_SERVER, RoleResult};
use command_line::output;
use http_server::door::{Door, STARTING};
use http_server::{Listen, ListenerFiles, ShareArgs};
use servers::ServerUrls;
use servers::stream_prefix::{adopt_begun, adopt_in_time};
use signals::reload::Reload;
use supervisor::Supervisor;
use traces::{CollectorArgs, Export, Sampling};

/// Options of `tenuto projector`.
#[derive(Debug, Args)]
pub(crate) struct ProjectorArgs {
    #[command(subcommand)]
    command: Option<ProjectorCommand>,
    #[command(flatten)]
    servers: ServerUrls,
    /// The address at which `/livez`, `/readyz` and `/metrics` are answered; port 0 takes a free
    /// one, which is printed
    // On a machine that runs another role too, the usual port is taken.
    #[arg(long, env = "TENUTO_LISTEN", default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    #[command(flatten)]
    exposure: Exposure,
    #[command(flatten)]
    tls: ListenerFiles,
    #[command(flatten)]
    authentication: AuthenticationArgs,
    #[command(flatten)]
    collector: CollectorArgs,
    #[command(flatten)]
    sampling: Sampling,
}

#[derive(Debug, Subcommand)]
enum ProjectorCommand {
    /// List the events that could not be projected and are set aside, each with the reason
    Parked(parked::ParkedArgs),
    /// Project again what is set aside, once the cause is corrected; the projector keeps running
    Retry(parked::RetryArgs),
}

impl ProjectorArgs {
    fn listen(&self) -> Listen {
        let (exposure, tls) = (self.exposure.clone(), self.tls.clone());
        Listen { listen: self.listen, exposure, tls, shares: ShareArgs::default() }
    }
}

pub(crate) async fn run(args: ProjectorArgs, reload: Reload) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match args.command {
        None => Box::pin(project(&args, reload)).await.map(|()| ExitCode::SUCCESS),
        Some(ProjectorCommand::Parked(args)) => Ok(parked::list(args).await?),
        Some(ProjectorCommand::Retry(args)) => Ok(parked::retry(args).await?),
    }
}

async fn project(args: &ProjectorArgs, reload: Reload) -> RoleResult {
    let (stop, asked) = signals::stop::of_role()?;
    let (servers, authentication) = (&args.servers, args.authentication.begin()?);
    let event_store = EventStore::connect(servers.named_event_store()?)?;
    let postgres = servers.named_postgres()?;
    let mut export = Export::new(&args.collector, args.sampling, &event_store)?;
    let listener = args.listen().bind(authentication.of_gate()).await?;
    let (url, controls, of_reload) = (listener.url()?, listener.controls(), authentication.clone());
    tokio::spawn(reload.run(asked, move |args: &ProjectorArgs| {
        Ok(controls.prepare(&args.listen())?.and(of_reload.prepare(&args.authentication)?))
    }));
    let (door, alarms) = (Door::new(STARTING), Alarms { traces: export.figures.clone(), ..Alarms::of(&listener) });
    let mut tasks = Supervisor::new(stop.clone(), alarms.tasks.clone());
    tasks.run(HTTP_SERVER, http_server::serve(listener, door.router(), stop.clone()));
    tokio::spawn(service_manager::report(door.clone()));
    wait_for_servers(&door, &event_store, &stop);
    let start = async {
        let adopted = async { Ok(adopt_in_time(&event_store, servers.stream_prefix.as_deref()).await?) };
        let pool = async { Ok(servers::views_beside(&event_store, postgres).await?) };
        tokio::try_join!(pool, adopted).map_err(|error: Box<dyn std::error::Error>| error)
    };
    let (pool, _) = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(tasks.stop().await?),
        started = start => started?,
    };
    authentication.look_up_keys_in(&pool);
    let options = export.observed(ProjectorOptions { alarm: alarms.log.clone(), ..ProjectorOptions::default() });
    let (leaving, closed, projector) = (&stop, &stop, Some(&options.health));
    let watched = Watched { event_store: &event_store, pool: &pool, alarms: &alarms, leaving, closed, projector };
    let Watching { guard, probes, .. } = watched.start(Some(&door), None);
    door.waits_behind("the log, which is compared with the views", probes.clone());
    output::announce(&format!("projecting; probes at {url}/readyz\n"));
    let adopted = async {
        guard.verified().await;
        // As for other roles (`adopt_verified`), without rights to append, which a projector does
        // not need.
        adopt_begun(&event_store, servers.stream_prefix.as_deref()).await
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(tasks.stop().await?),
        adopted = adopted => adopted?,
    }
    door.open(probes);
    tasks.run("the export of spans", export.run(stop.clone()));
    // The projector waits while log or Postgres are down, so it ends only if waiting does not help.
    tasks.run("the projector", projector::run(options, event_store.clone(), pool.clone(), stop.clone()));
    let failed = tokio::select! {
        () = stop.cancelled() => None,
        ended = tasks.failed() => Some(ended),
    };
    // The first failure is the reason: the other may follow from it.
    let stopped = tasks.stop().await;
    Ok(failed.map_or(stopped, Err)?)
}
