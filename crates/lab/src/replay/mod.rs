//! `tenuto replay ORDER`: an order's life, step by step, out of the log: what happened, what it left, what was pending, and why.

mod json;
mod render;
#[cfg(test)]
mod tests;
mod until;

use std::process::ExitCode;

use clap::Args;
use domain::ids::OrderId;
use domain::order::Event;
use domain::replay::{Again, Decision, Recorded, Replay};
use domain::workflow::Workflow;

use self::render::Page;
use self::until::Until;
use crate::history::{self, LogError};
use crate::{LabError, NOT_AS_ASKED};
use command_line::output::{self, pager, printable};
use servers::log::{Log, LogArgs};

/// The exit code for "today it would be decided otherwise".
const DECIDED_OTHERWISE: u8 = 3;

const AFTER_HELP: &str = "\
Each decision is made once more, by this version of Tenuto: from the definition that the order began on, the order as it stood, and the \
command that its events came of, with the time and the jitter that were recorded. It has to come out as it is recorded; where it \
does not, both are shown.

  tenuto replay 10248                        everything, a screen at a time on a terminal
  tenuto replay 10248 --until 7 --diff       up to event 7, with each field that changed
  tenuto replay 10248 --until 2026-01-31T09:00:00Z --json
  tenuto replay 10248 --data BACKUP          out of a backup

Exit code: 0 when all was decided as it would be today; 3 when something was not, or cannot be decided again; 1 when there is no such \
order; 2 when the log cannot be read.";

/// Options of `tenuto replay`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ReplayArgs {
    /// The order's id
    #[arg(value_parser = order_id)]
    order: OrderId,
    #[command(flatten)]
    log: LogArgs,
    /// Stop after this event, by its revision, or by the time at which it was decided
    #[arg(long, value_name = "REVISION|TIME", value_parser = until::parse)]
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

/// Prints an order's life, and whether it would be decided so today.
pub async fn run(args: ReplayArgs) -> Result<ExitCode, LabError> {
    let Some(replayed) = replay(&args).await? else {
        output::complain(&format!("tenuto: the log has no order {}", printable(args.order.as_str())));
        return Ok(ExitCode::from(NOT_AS_ASKED));
    };
    output::forgive_closed_pipe(replayed.print(args.json))
}

/// An order's life, told.
#[derive(Debug)]
pub struct Replayed {
    /// What happened, for people or as JSON.
    pub text: String,
    /// Whether each decision would be made so today.
    pub is_same: bool,
    /// What is wrong with the history, from some event on.
    pub broken: Option<LogError>,
}

impl Replayed {
    /// Prints the readable part of a broken history, and then what is wrong with it.
    fn print(self, json: bool) -> Result<ExitCode, LabError> {
        if json {
            output::print(&self.text)?;
        } else {
            pager::print(&self.text)?;
        }
        match self.broken {
            Some(broken) => Err(broken.into()),
            None if self.is_same => Ok(ExitCode::SUCCESS),
            None => Ok(ExitCode::from(DECIDED_OTHERWISE)),
        }
    }
}

/// Tells an order's life, and makes each of its decisions once more. `None`: the log has no such order.
pub async fn replay(args: &ReplayArgs) -> Result<Option<Replayed>, LabError> {
    let log = args.log.open().await.map_err(LogError::from)?;
    let replayed = replayed(&log, args).await;
    log.close().await;
    Ok(replayed?)
}

async fn replayed(log: &Log, args: &ReplayArgs) -> Result<Option<Replayed>, LogError> {
    let history = history::of_order(log, &args.order).await?;
    let Some(first) = history.first() else { return Ok(None) };
    let unreadable = |revision, reason| LogError::Event { stream: args.order.stream(), revision, reason };
    let Event::OrderPlaced(placed) = &first.event else {
        let reason = format!("an order begins with OrderPlaced, not with {}", first.event.type_name());
        return Err(unreadable(first.revision, reason));
    };
    let workflow = history::workflow(log, &placed.workflow).await?;
    let shown = args.until.map_or(history.as_slice(), |until| until.of(&history));
    let life = Life { order: &args.order, workflow: workflow.as_ref(), history: &history, shown };
    let (text, tally) =
        if args.json { json::told(&life, args.diff) } else { render::told(&life, args.diff, Page::of_stdout()) };
    let broken = tally.broken.map(|broken| unreadable(broken.revision, broken.source.to_string()));
    Ok(Some(Replayed { text, is_same: tally.otherwise == 0, broken }))
}

/// What is shown of an order.
struct Life<'a> {
    order: &'a OrderId,
    workflow: Option<&'a Workflow>,
    /// All there is.
    history: &'a [Recorded],
    /// What was asked for: its first part.
    shown: &'a [Recorded],
}

/// What came of deciding again.
#[derive(Debug, Default)]
struct Tally {
    decisions: usize,
    /// Decisions that come out otherwise, or cannot be made again.
    otherwise: usize,
    broken: Option<domain::replay::BrokenHistory>,
}

impl<'a> Life<'a> {
    /// Goes through the decisions of what is shown. A decision is made again whole: the last may have more events than are shown.
    fn each(&self, mut see: impl FnMut(&Decision<'a>)) -> Tally {
        let mut tally = Tally::default();
        let last = self.shown.last().map(|last| last.revision);
        for decision in Replay::of(self.workflow, self.history) {
            match decision {
                Ok(decision) if decision.moments.first().map(|first| first.recorded.revision) > last => break,
                Ok(mut decision) => {
                    tally.decisions += 1;
                    tally.otherwise += usize::from(decision.again != Again::Same);
                    decision.moments.retain(|moment| Some(moment.recorded.revision) <= last);
                    see(&decision);
                }
                Err(broken) => {
                    tally.broken = Some(broken);
                    break;
                }
            }
        }
        tally
    }
}

/// Whether an event is the last there is.
impl Life<'_> {
    fn is_whole(&self) -> bool {
        self.shown.len() == self.history.len()
    }
}
