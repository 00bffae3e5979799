//! `tenuto backtest`: prints what another definition would have done with past orders.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use clap::Args;
use command_line::filter::{self, Conditions};
use command_line::moment;
use command_line::output::{self, Palette, WriteError};
use command_line::progress::{Counts, Progress};
use domain::backtest::{Options, Rules};
use domain::ids::OrderId;
use servers::log::{Log, LogArgs};

use super::{NOT_AS_ASKED, complain_of_faults};
use crate::LabError;
use crate::backtest::{Bench, Counted, Effort, Observer, Outcome, Selection, Tally, backtest, report};
use crate::history::LogError;
use crate::workflow::{load, read_rules};

/// The exit code for "some orders are not known, and none differs".
const UNKNOWN: u8 = 3;
/// The exit code for "a file has faults", and for "no order matches".
const WRONG: u8 = 2;

const AFTER_HELP: &str = "\
The real decider places each order again under the definition. Each action gets the recorded answer of the same action of the same \
participant: of the step with the same name, or of another step with the same input. The commands of operators and the answers of \
persons are repeated. An order is the same if it has the same statuses, the same actions with the same outcomes in a compatible order, \
and the same end with the same result. Times and numbers of attempts are not compared. The outcome is not known if an action was never \
requested before, or was requested with another input and the history shows that the input matters (with --same-input: always).

  tenuto backtest --workflow order-fulfilment-2.yaml --where workflow=order-fulfilment@1
  tenuto backtest --workflow new.yaml --since 2025-01-01 --sample 10000 --answers fraud.yaml --json

A file of --answers holds answers that participants would have given. The first rule whose guard holds applies:

  answers:
    risk.check:                            # participant.action
      - { when: \"double(order.total) > 1000.0\", outcome: review }
      - { outcome: ok, data: { score: 10 } }
    payments.refund: [{}]                  # done
    crm.note: [{ refuse: no such customer }]
  persons:
    approval: [{ outcome: approved }]      # by what is awaited

Guards are those of workflow files; steps.NAME is how a step of the past ended: outcome, outcomes (all, in their order) and data.

Exit code: 0 if all orders are the same, or differ only at the steps of --expect; 1 if some differ; 3 if none differs and some are not \
known; 2 if no order matches, the log cannot be read or a file has faults.";

/// Options of `tenuto backtest`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct BacktestArgs {
    /// The definition to try
    #[arg(long, value_name = "FILE")]
    workflow: PathBuf,
    #[command(flatten)]
    log: LogArgs,
    /// Only orders placed at this time or later
    #[arg(long, value_name = "TIME", value_parser = a_moment)]
    since: Option<DateTime<Utc>>,
    /// Only orders placed before this time
    #[arg(long, value_name = "TIME", value_parser = a_moment)]
    until: Option<DateTime<Utc>>,
    /// Only orders that match, as for `tenuto cancel`: workflow=order-fulfilment@1,state=COMPLETED.
    /// The log decides whether an order matches
    #[arg(long = "where", value_name = "FILTER", value_parser = filter::conditions)]
    filters: Vec<Conditions>,
    /// Only this many orders, picked by their ids: each run picks the same ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sample: Option<u32>,
    /// Answers that participants would have given, to actions that were never requested or instead
    /// of the recorded answers
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Use a recorded answer only if the action had the same input
    #[arg(long)]
    same_input: bool,
    /// A step at which orders may differ; can be given several times
    #[arg(long, value_name = "STEP")]
    expect: Vec<String>,
    /// Print a line of JSON for each order that is not the same, and one with the counts
    #[arg(long)]
    json: bool,
}

fn a_moment(text: &str) -> Result<DateTime<Utc>, String> {
    moment::parse(text).ok_or_else(|| "write one like 2026-01-31 or 2026-01-31T09:00:00Z".to_owned())
}

/// Tries the definition on the orders of the log, and prints the result.
pub async fn run(args: BacktestArgs) -> Result<ExitCode, LabError> {
    let bench = match bench(&args) {
        Ok(bench) => bench,
        Err(error) => return complain_of_faults(error).map(|()| ExitCode::from(WRONG)),
    };
    let log = args.log.open().await.map_err(LogError::from)?;
    let code = output::forgive_closed_pipe(print(&log, bench, &args).await);
    log.close().await;
    code
}

/// Reads the files that the options name.
fn bench(args: &BacktestArgs) -> Result<Bench, LabError> {
    let selection = Selection::of(args.since, args.until, &args.filters).map_err(LabError::Filter)?;
    let workflow = load(&args.workflow)?;
    let rules: Option<Rules> = args.answers.as_deref().map(|file| read_rules(file, &workflow)).transpose()?;
    let options = Options { rules, same_input: args.same_input };
    Ok(Bench { workflow, options, selection, effort: Effort::of_a_command() })
}

async fn print(log: &Log, bench: Bench, args: &BacktestArgs) -> Result<ExitCode, LabError> {
    let began = Instant::now();
    let printer = Arc::new(Printer::new(args.json));
    let tally = backtest(log, Arc::new(bench), args.sample, printer.clone()).await;
    printer.finish()?;
    let tally = tally?;
    if args.json {
        output::print_json(&format!("{}\n", report::summary(&tally, began.elapsed())))?;
    } else {
        output::print(&report::render(&tally, began.elapsed(), Palette::of_stdout(), output::screen::width()))?;
    }
    if tally.orders() == 0 {
        output::complain(
            "tenuto: nothing was tried: no order of the log matches; is it the right log (--event-store, --data)?",
        );
        return Ok(ExitCode::from(WRONG));
    }
    Ok(exit_code(&tally, &args.expect))
}

pub(crate) fn exit_code(tally: &Tally, expected: &[String]) -> ExitCode {
    if tally.differs_beside(expected) {
        ExitCode::from(NOT_AS_ASKED)
    } else if tally.is_unknown() {
        ExitCode::from(UNKNOWN)
    } else {
        ExitCode::SUCCESS
    }
}

/// Shows the progress, and prints a line of JSON for each order that differs.
struct Printer {
    json: bool,
    progress: Progress<Reached>,
    failed: Mutex<Result<(), WriteError>>,
}

impl Printer {
    fn new(json: bool) -> Self {
        let progress = Progress::start(Reached { percent: 0, counted: Counted::default() });
        Self { json, progress, failed: Mutex::new(Ok(())) }
    }

    /// Ends the progress. An error: a line could not be printed.
    fn finish(&self) -> Result<(), WriteError> {
        self.progress.finish();
        std::mem::replace(&mut *self.failed.lock().unwrap_or_else(PoisonError::into_inner), Ok(()))
    }
}

impl Observer for Printer {
    fn tried(&self, orders: &[(OrderId, Outcome)]) -> ControlFlow<()> {
        if !self.json {
            return ControlFlow::Continue(());
        }
        let lines = orders.iter().filter_map(|(id, outcome)| report::line(id.as_str(), outcome));
        let mut text = String::new();
        for line in lines {
            text.push_str(&line.to_string());
            text.push('\n');
        }
        if text.is_empty() {
            return ControlFlow::Continue(());
        }
        match output::print_json(&text) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Err(error);
                ControlFlow::Break(())
            }
        }
    }

    fn reached(&self, percent: u64, tally: &Tally) {
        let counted = tally.counts();
        self.progress.change(|reached| *reached = Reached { percent, counted });
    }
}

/// How far the backtest is.
struct Reached {
    percent: u64,
    counted: Counted,
}

impl Counts for Reached {
    fn total(&self) -> Option<u64> {
        Some(100)
    }

    fn done(&self) -> u64 {
        self.percent
    }

    fn in_words(&self) -> String {
        self.counted.in_words()
    }
}
