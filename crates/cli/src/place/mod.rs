//! `tenuto place`: places orders from a file, many at once, and says how they fared.
//!
//! Orders stream from the file through the server to the watch over them: whatever the size of the
//! file, only so many are held in memory ([`input`], [`settle`]).

mod input;
mod progress;
mod report;
mod settle;
mod submit;
mod warning;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use self::input::{Input, Layout};
use self::progress::Progress;
use self::report::{Placed, Report};
use self::submit::{Failure, Submitted};
use crate::CommandError;
use crate::client::{Client, ServerArgs};
use command_line::duration;
use command_line::output::{self, Palette};

/// What the options alone do not say.
const AFTER_HELP: &str = "\
An order without an orderId is placed under an idempotency key made of the file's content and the order's line, so \
that placing the same file again, after whatever interruption, places no order twice. What comes from standard input has no \
such memory.

Exit code: 0 when every order was accepted and came to rest; 1 when one was refused, failed, is stuck or not at rest in time; \
2 when the server cannot be reached or the input cannot be read.";

/// Options of `tenuto place`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct PlaceArgs {
    /// A file with one order, as JSON; `-` is standard input
    #[arg(value_name = "ORDER.json", required_unless_present = "file", conflicts_with = "file")]
    order: Option<PathBuf>,
    /// A file with an order on each line (JSON Lines); `-` is standard input
    #[arg(long, value_name = "ORDERS.jsonl")]
    file: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
    /// How many orders are being placed at any time
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Wait until every order has ended, or is back-ordered, or stuck [this is what happens anyway]
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Only place the orders
    #[arg(long)]
    no_wait: bool,
    /// How long to wait for each order once it is placed
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = duration::parse)]
    timeout: Duration,
}

/// Exit code 0: every order was accepted and, where that was waited for, came to rest and is not
/// stuck; 1: some were not.
pub async fn run(args: PlaceArgs) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    output::forgive_closed_pipe(place(&client, &args).await)
}

async fn place(client: &Client, args: &PlaceArgs) -> Result<ExitCode, CommandError> {
    let input = match (&args.file, &args.order) {
        (Some(file), _) => Input::open(file, Layout::Lines).await?,
        (None, Some(order)) => Input::open(order, Layout::Document).await?,
        // The command line asks for one of them.
        (None, None) => return Ok(ExitCode::SUCCESS),
    };
    let name = input.name().to_owned();
    let began = Instant::now();
    let wait = !args.no_wait;
    let progress = Progress::start(input.orders(), wait);

    let (accepted, to_watch) = mpsc::channel(settle::QUEUE);
    let placing = async {
        let placed = place_all(client, input, args.concurrency.into(), accepted, &progress).await;
        (placed, began.elapsed())
    };
    let watching =
        async { if wait { Some(settle::watch(client, to_watch, args.timeout, &progress).await) } else { None } };
    let (((placed, placing_error), placing_time), watched) = tokio::join!(placing, watching);
    progress.finish();

    let (rests, watching_error) = watched.map_or((None, None), |(rests, error)| (Some(rests), error));
    let report = Report { input: name, placed, placing_time, rests, time: began.elapsed() };
    for warning in report.warnings() {
        output::complain(&warning);
    }
    output::print(&report.render(Palette::of_stdout()))?;
    match placing_error.or(watching_error) {
        Some(error) => Err(error),
        None => Ok(report.exit_code()),
    }
}

/// Places all orders, and hands those that are accepted on. Ends early, with an error, when the
/// input or the server is lost.
async fn place_all(
    client: &Client,
    input: Input,
    concurrency: usize,
    accepted: mpsc::Sender<submit::Accepted>,
    progress: &Progress,
) -> (Placed, Option<CommandError>) {
    let mut placed = Placed::default();
    let keys = input.keys();
    let orders = stream::unfold(input, |mut input| async { input.next().await.map(|order| (order, input)) });
    let submissions = orders
        .map(|order| async {
            match order {
                Ok(order) => submit::submit(client, order, &keys).await,
                Err(error) => Err(Failure::OfTheCommand(error)),
            }
        })
        .buffer_unordered(concurrency);
    let mut submissions = std::pin::pin!(submissions);
    while let Some(submission) = submissions.next().await {
        match submission {
            Ok(Submitted::Accepted(order)) => {
                placed.accept(&order);
                progress.accepted();
                // Without a reader of the channel, the order is placed all the same.
                let _ = accepted.send(order).await;
            }
            Ok(Submitted::Refused(warning)) => {
                placed.refuse(warning);
                progress.not_accepted();
            }
            Err(Failure::OfTheOrder(warning)) => {
                placed.fail(warning);
                progress.not_accepted();
            }
            Err(Failure::OfTheCommand(error)) => return (placed, Some(error)),
        }
    }
    (placed, None)
}

#[cfg(test)]
mod tests;
