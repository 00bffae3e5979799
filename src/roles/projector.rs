//! `tenuto projector`: projects the log into the views; and what it has set aside.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use event_store::client::EventStore;
use follower::LogAlarm;
use projector::{ParkedEvent, ProjectorOptions, Retried};
use sqlx::PgPool;

use crate::args::ServerUrls;
use crate::commands::output::{self, printable};
use crate::stream_prefix::{adopt, adopt_begun, adopt_in_time};
use crate::{backends, log_guard, signals};

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
        None => Box::pin(project(&args.servers)).await.map(|()| ExitCode::SUCCESS),
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

async fn project(servers: &ServerUrls) -> Result<(), Box<dyn std::error::Error>> {
    let stop = signals::stop_token()?;
    let event_store = EventStore::connect(servers.named_event_store()?)?;
    let postgres = servers.named_postgres()?;
    let adopted = async { Ok(adopt_in_time(&event_store, servers.stream_prefix.as_deref()).await?) };
    let views = async { tokio::try_join!(backends::views_beside(&event_store, postgres), adopted) };
    let (pool, _) = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        ready = views => ready?,
    };
    output::announce("projecting\n");
    let alarm = LogAlarm::default();
    let adopted = async {
        log_guard::until_right(&event_store, &pool, &alarm).await;
        // Another role may have begun the log since this one started, with another prefix.
        adopt_begun(&event_store, servers.stream_prefix.as_deref()).await
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        adopted = adopted => adopted?,
    }
    let options = ProjectorOptions { alarm, ..ProjectorOptions::default() };
    Ok(projector::run(options, event_store, pool, stop).await?)
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
