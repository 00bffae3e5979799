//! `tenuto replay ORDER`: prints an order's life, step by step.

use std::process::ExitCode;

use clap::Args;
use command_line::output::{self, pager, printable};
use domain::ids::OrderId;
use servers::log::LogArgs;

use super::NOT_AS_ASKED;
use crate::LabError;
use crate::history::LogError;
use crate::replay::{Form, Page, Replayed, Request, Until, replay};

/// The exit code for "today a decision would differ".
const DECIDED_OTHERWISE: u8 = 3;

const AFTER_HELP: &str = "\
This version of Tenuto makes each decision again: from the definition that the order started on, the state of the order, and the command \
that led to the events, with the recorded time and jitter. The result has to equal the recorded events; if it differs, both are shown.

  tenuto replay 10248                        everything, a screen at a time on a terminal
  tenuto replay 10248 --until 7 --diff       up to event 7, with each field that changed
  tenuto replay 10248 --until 2026-01-31T09:00:00Z --json
  tenuto replay 10248 --data BACKUP          from a backup

Exit code: 0 if each decision would be the same today; 3 if one would differ, or cannot be made again; 1 if the order does not exist; \
2 if the log cannot be read.";

/// Options of `tenuto replay`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ReplayArgs {
    /// The order's id
    #[arg(value_parser = order_id)]
    order: OrderId,
    #[command(flatten)]
    log: LogArgs,
    /// Stop after this event: its revision, or the time of its decision
    #[arg(long, value_name = "REVISION|TIME", value_parser = Until::parse)]
    until: Option<Until>,
    /// Show each field of the state that an event changed
    #[arg(long)]
    diff: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn order_id(text: &str) -> Result<OrderId, String> {
    OrderId::new(text).map_err(|error| format!("it is no id of an order: {error}"))
}

/// Prints an order's life, and whether its decisions would be the same today.
pub async fn run(args: ReplayArgs) -> Result<ExitCode, LabError> {
    let form = if args.json { Form::Json } else { Form::Text(Page::of_stdout()) };
    let request = Request { order: &args.order, until: args.until, diff: args.diff, form };
    let log = args.log.open().await.map_err(LogError::from)?;
    let replayed = replay(&log, &request).await;
    log.close().await;
    let Some(replayed) = replayed? else {
        output::complain(&format!("tenuto: the log has no order {}", printable(args.order.as_str())));
        return Ok(ExitCode::from(NOT_AS_ASKED));
    };
    output::forgive_closed_pipe(print(replayed, args.json))
}

/// Prints the readable part of a history, and then its fault, if it has one.
fn print(replayed: Replayed, json: bool) -> Result<ExitCode, LabError> {
    if json {
        output::print_json(&replayed.text)?;
    } else {
        pager::print(&replayed.text)?;
    }
    match replayed.broken {
        Some(broken) => Err(broken.into()),
        None if replayed.is_same => Ok(ExitCode::SUCCESS),
        None => Ok(ExitCode::from(DECIDED_OTHERWISE)),
    }
}
