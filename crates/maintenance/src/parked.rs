//! `tenuto projector parked` and `tenuto projector retry`: the events that could not be projected.

use std::process::ExitCode;

use command_line::output::{self, printable};
use event_store::EventStore;
use projector::Retried;
use sqlx::PgPool;
use views::ParkedRow;
use views::parked;

/// The exit code for "something stays set aside".
const STILL_PARKED: u8 = 1;
/// Events that are read from the database at a time.
const PAGE: u32 = 500;

/// Lists them, each with the reason.
pub async fn list(pool: &PgPool, json: bool) -> Result<(), Box<dyn std::error::Error>> {
    let mut after = None;
    let mut count = 0;
    loop {
        let page = parked::page(pool, after, PAGE).await?;
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

fn in_words(event: &ParkedRow) -> String {
    let ParkedRow { stream, revision, position, event_type, recorded_at, reason } = event;
    let at = recorded_at.format("%F %T UTC");
    printable(&format!("{stream} {revision} {event_type} at {position}, {at}: {reason}")).into_owned()
}

/// Tries them again, those of these streams or all; exit code 1: something stays set aside.
pub async fn retry(
    log: &EventStore,
    pool: &PgPool,
    streams: Vec<String>,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let streams = if streams.is_empty() { parked::streams(pool).await? } else { streams };
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
