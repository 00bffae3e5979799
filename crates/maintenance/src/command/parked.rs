//! `tenuto projector parked` and `tenuto projector retry`: the events that could not be projected.

use std::process::ExitCode;

use clap::Args;
use command_line::output::{self, printable};
use event_store::EventStore;
use projector::Retried;
use servers::ServerUrls;
use servers::stream_prefix::adopt;
use views::ParkedRow;

use crate::{MaintenanceError, parked};

/// The exit code for "some events are still set aside".
const STILL_PARKED: u8 = 1;
const NOTHING: &str = "nothing is set aside\n";

/// Options of `tenuto projector parked`.
#[derive(Debug, Args)]
pub struct ParkedArgs {
    /// Print each event as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    servers: ServerUrls,
}

/// Options of `tenuto projector retry`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 if nothing of these streams is set aside any more; 1 if some events still are.")]
pub struct RetryArgs {
    /// The streams to project again, as `tenuto projector parked` names them [default: all]
    #[arg(value_name = "STREAM")]
    streams: Vec<String>,
    #[command(flatten)]
    servers: ServerUrls,
}

/// Lists the parked events, each with the reason.
pub async fn list(args: ParkedArgs) -> Result<ExitCode, MaintenanceError> {
    let pool = servers::views(args.servers.or_running()?.named_postgres()?).await?;
    let print = |event: &ParkedRow| {
        if args.json {
            return Ok(output::print_json(&format!("{}\n", serde_json::to_string(event)?))?);
        }
        Ok(output::print(&format!("{}\n", in_words(event)))?)
    };
    if parked::each(&pool, print).await? == 0 && !args.json {
        output::print(NOTHING)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn in_words(event: &ParkedRow) -> String {
    let ParkedRow { stream, revision, position, event_type, recorded_at, reason } = event;
    let at = recorded_at.format("%F %T UTC");
    printable(&format!("{stream} {revision} {event_type} at {position}, {at}: {reason}")).into_owned()
}

/// Projects parked streams again. Exit code 1: some events are still set aside.
pub async fn retry(args: RetryArgs) -> Result<ExitCode, MaintenanceError> {
    let servers = args.servers.or_running()?;
    let log = EventStore::connect(servers.named_event_store()?)?;
    adopt(&log, servers.stream_prefix.as_deref()).await?;
    let pool = servers::views_beside(&log, servers.named_postgres()?).await?;
    let mut code = ExitCode::SUCCESS;
    let print = |stream: &str, retried: &Retried| {
        let outcome = match retried {
            Retried::Projected => "projected".to_owned(),
            Retried::NotParked => "nothing of it is set aside".to_owned(),
            Retried::StillParked(reason) => {
                code = ExitCode::from(STILL_PARKED);
                format!("still set aside: {reason}")
            }
        };
        Ok(output::print(&format!("{}\n", printable(&format!("{stream}: {outcome}"))))?)
    };
    if parked::retry(&log, &pool, args.streams, print).await? == 0 {
        output::print(NOTHING)?;
    }
    Ok(code)
}
