//! `tenuto trace ORDER`: projects the trace of an order again from the log, and prints or sends it.

use std::process::ExitCode;

use clap::Args;
use command_line::output::{self, Palette, pager, printable};
use domain::ids::OrderId;
use domain::replay::Recorded;
use domain::trace::{SampleRatio, Span, project};
use order_stream::decode;
use servers::log::{Log, LogArgs};

use crate::collector::{Collector, Taken};
use crate::error::TraceError;
use crate::open_orders::as_recorded;
use crate::options::CollectorArgs;
use crate::{encoding, json, tree};

/// The exit code if the order does not exist, or not all spans were taken.
const NOT_AS_ASKED: u8 = 1;

const AFTER_HELP: &str = "\
The spans are the same ones that the projector sends, with the same ids: all of them derive from the log.

  tenuto trace 10248                 the spans as a tree; those that last have no end yet
  tenuto trace 10248 --json          the spans that have ended, as OTLP's JSON
  tenuto trace 10248 --send          send the spans that have ended to the collector, where some were lost

Exit code: 0; 1 if the order does not exist, or the collector rejected spans; 2 if the log cannot be read, or the spans cannot be sent.";

/// Options of `tenuto trace`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct TraceArgs {
    /// The order's id
    #[arg(value_parser = order_id)]
    order: OrderId,
    #[command(flatten)]
    log: LogArgs,
    /// Print the spans that have ended as OTLP's JSON
    #[arg(long)]
    json: bool,
    /// Send the spans that have ended to the collector
    #[arg(long, conflicts_with = "json")]
    send: bool,
    #[command(flatten)]
    collector: CollectorArgs,
}

fn order_id(text: &str) -> Result<OrderId, String> {
    OrderId::new(text).map_err(|error| format!("it is no id of an order: {error}"))
}

/// Prints or sends the trace of an order.
pub async fn run(args: TraceArgs) -> Result<ExitCode, TraceError> {
    let target = args.collector.target()?;
    let log = args.log.open().await?;
    let history = history(&log, &args.order).await;
    log.close().await;
    // Whether the trace is sampled does not matter to a person who asks for it.
    let spans = project(&history?, SampleRatio::ALL);
    if spans.is_empty() {
        output::complain(&format!("tenuto: the log has no order {}", printable(args.order.as_str())));
        return Ok(ExitCode::from(NOT_AS_ASKED));
    }
    if args.send {
        let collector = target.map(Collector::new).ok_or(TraceError::NoCollector)?;
        return send(&collector, ended(spans)).await;
    }
    let printed = if args.json {
        let request = encoding::request(&ended(spans), args.collector.service());
        output::print_json(&format!("{:#}\n", json::of_request(&request)))
    } else {
        pager::print(&tree::of(&spans, Palette::of_stdout()))
    };
    output::forgive_closed_pipe(printed.map(|()| ExitCode::SUCCESS).map_err(TraceError::from))
}

async fn history(log: &Log, order: &OrderId) -> Result<Vec<Recorded>, TraceError> {
    let events = log.stream(&order.stream(), u64::MAX).await?;
    events.iter().map(|event| Ok(as_recorded(event, decode(event)?))).collect()
}

/// A span that lasts has no end, and a collector would take it for a whole one.
fn ended(spans: Vec<Span>) -> Vec<Span> {
    spans.into_iter().filter(|span| span.end.is_some()).collect()
}

async fn send(collector: &Collector, spans: Vec<Span>) -> Result<ExitCode, TraceError> {
    if spans.is_empty() {
        output::print("No span of the order has ended yet: nothing was sent.\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let Taken { rejected, message } = collector.send(&spans).await?;
    if rejected > 0 {
        let (all, message) = (spans.len(), printable(&message));
        output::complain(&format!("tenuto: the collector rejected {rejected} of {all} spans: {message}"));
        return Ok(ExitCode::from(NOT_AS_ASKED));
    }
    output::print(&format!("{} spans sent.\n", spans.len()))?;
    Ok(ExitCode::SUCCESS)
}
