//! `tenuto projector`: projects the log into the views; and what it has set aside.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use event_store::client::EventStore;
use projector::{ParkedEvent, ProjectorOptions, Retried};
use sqlx::PgPool;

use super::RoleResult;
use super::watched::{Alarms, Watched, Watching};
use crate::args::ServerUrls;
use crate::commands::output::{self, printable};
use crate::door::{Door, STARTING};
use crate::stream_prefix::{adopt, adopt_begun, adopt_in_time};
use crate::{backends, serve, signals};

/// The exit code for "something stays set aside".
const STILL_PARKED: u8 = 1;
/// Events that are read from the database at a time.
const PAGE: u32 = 500;

/// Options of `tenuto projector`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ProjectorArgs {
    #[command(subcommand)]
    command: Option<ProjectorCommand>,
    #[command(flatten)]
    servers: ServerUrls,
    /// The address at which `/livez`, `/readyz` and `/metrics` are answered; port 0 takes a free one, which is printed
    // The port of the other roles would be taken on a machine that runs one of them too.
    #[arg(long, env = "TENUTO_LISTEN", default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
}

#[derive(Debug, Subcommand)]
enum ProjectorCommand {
    /// List the events that cannot be projected and are set aside, each with the reason
    Parked {
        /// Print each event as a line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        servers: ServerUrls,
    },
    /// Try again what is set aside, once whatever was wrong has been mended; the projector goes on meanwhile
    Retry {
        /// The streams to try, as `tenuto projector parked` names them; without any, all of them
        #[arg(value_name = "STREAM")]
        streams: Vec<String>,
        #[command(flatten)]
        servers: ServerUrls,
    },
}

pub(crate) async fn run(args: ProjectorArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match args.command {
        None => Box::pin(project(&args.servers, args.listen)).await.map(|()| ExitCode::SUCCESS),
        Some(ProjectorCommand::Parked { json, servers }) => {
            let pool = backends::views(servers.or_running()?.named_postgres()?).await?;
            parked(&pool, json).await.map(|()| ExitCode::SUCCESS)
        }
        Some(ProjectorCommand::Retry { streams, servers }) => {
            let servers = servers.or_running()?;
            let log = EventStore::connect(servers.named_event_store()?)?;
            adopt(&log, servers.stream_prefix.as_deref()).await?;
            let pool = backends::views_beside(&log, servers.named_postgres()?).await?;
            retry(&log, &pool, streams).await
        }
    }
}

async fn project(servers: &ServerUrls, listen: SocketAddr) -> RoleResult {
    let stop = signals::stop_token()?;
    let event_store = EventStore::connect(servers.named_event_store()?)?;
    let postgres = servers.named_postgres()?;
    let listener = serve::bind(listen).await?;
    let address = listener.local_addr()?;
    let door = Door::new(STARTING);
    let server = tokio::spawn(serve::serve(listener, door.router(), stop.clone()));
    door.waits_for("the log and Postgres");
    let adopted = async { Ok(adopt_in_time(&event_store, servers.stream_prefix.as_deref()).await?) };
    let views = async { tokio::try_join!(backends::views_beside(&event_store, postgres), adopted) };
    let (pool, _) = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(server.await??),
        ready = views => ready?,
    };
    let alarms = Alarms::default();
    let options = ProjectorOptions { alarm: alarms.log.clone(), ..ProjectorOptions::default() };
    let (leaving, closed, projector) = (&stop, &stop, Some(&options.health));
    let watched = Watched { event_store: &event_store, pool: &pool, alarms: &alarms, leaving, closed, projector };
    let Watching { mut guard, probes, .. } = watched.start(Some(&door), None);
    door.waits_behind("the log, which is compared with the views", probes.clone());
    output::announce(&format!("projecting; probes at http://{address}/readyz\n"));
    let adopted = async {
        guard.verified().await;
        // As for other roles (`backends::adopt_verified`), without rights to append, which a projector does not need.
        adopt_begun(&event_store, servers.stream_prefix.as_deref()).await
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(server.await??),
        adopted = adopted => adopted?,
    }
    door.open(probes);
    let projected = projector::run(options, event_store.clone(), pool.clone(), stop.clone()).await;
    // It may have failed by itself; then nothing is left to probe.
    stop.cancel();
    server.await??;
    Ok(projected?)
}

async fn parked(pool: &PgPool, json: bool) -> Result<(), Box<dyn std::error::Error>> {
    let mut after = None;
    let mut count = 0;
    loop {
        let page = projector::parked(pool, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.position, last.revision));
        count += page.len();
        for event in &page {
            let line = if json { serde_json::to_string(event)? } else { in_words(event) };
            output::print(&format!("{line}\n"))?;
        }
    }
    if count == 0 && !json {
        output::print("nothing is set aside\n")?;
    }
    Ok(())
}

fn in_words(event: &ParkedEvent) -> String {
    let ParkedEvent { stream, revision, position, event_type, recorded_at, reason } = event;
    let at = recorded_at.format("%F %T UTC");
    printable(&format!("{stream} {revision} {event_type} at {position}, {at}: {reason}")).into_owned()
}

async fn retry(log: &EventStore, pool: &PgPool, streams: Vec<String>) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let streams = if streams.is_empty() { projector::parked_streams(pool).await? } else { streams };
    let mut still = false;
    for stream in &streams {
        let outcome = match projector::retry(log, pool, stream).await? {
            Retried::Projected => "projected".to_owned(),
            Retried::NotParked => "nothing of it is set aside".to_owned(),
            Retried::StillParked(reason) => {
                still = true;
                format!("still set aside: {reason}")
            }
        };
        output::print(&format!("{}\n", printable(&format!("{stream}: {outcome}"))))?;
    }
    if streams.is_empty() {
        output::print("nothing is set aside\n")?;
    }
    Ok(if still { ExitCode::from(STILL_PARKED) } else { ExitCode::SUCCESS })
}
