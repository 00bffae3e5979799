//! `tenuto backtest`: what another definition would have done with the orders of the past, straight from the log.

mod report;
mod scan;
mod selection;
mod tally;
#[cfg(test)]
mod tests;
mod trial;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use clap::Args;
use domain::backtest::{Options, Rules};
use domain::workflow::{Faults, Workflow};

use self::selection::Selection;
use self::tally::Tally;
use self::trial::Bench;
use crate::LabError;
use crate::history::LogError;
use crate::workflow::{FileError, parse, read};
use command_line::filter::{self, Conditions};
use command_line::moment;
use command_line::output::{self, Palette};
use servers::log::{Log, LogArgs};

/// The exit code for "some cannot be known, and none differs".
const UNKNOWN: u8 = 3;
/// The exit code for a file that is wrong.
const WRONG: u8 = 2;

const AFTER_HELP: &str = "\
Each order is placed anew under the definition, with the real decider, and each action is answered with what its participant answered \
then: the same action of the same participant, by the step of the same name, or by one of another name with the same input. What \
operators and persons did is done again. An order is the same if it comes by the same statuses, asks for the same actions with the same \
outcomes in a compatible order, and ends alike with the same result; times and numbers of attempts are left out. It cannot be known where an \
action was never asked for, or was told something else where the history shows that it matters (with --same-input: anywhere).

  tenuto backtest --workflow order-fulfilment-2.yaml --where workflow=order-fulfilment@1
  tenuto backtest --workflow new.yaml --since 2025-01-01 --sample 10000 --answers fraud.yaml --json

A file of --answers says what would have been answered; the first rule whose guard holds does:

  answers:
    risk.check:                            # participant.action
      - { when: \"double(order.total) > 1000.0\", outcome: review }
      - { outcome: ok, data: { score: 10 } }
    payments.refund: [{}]                  # done
    crm.note: [{ refuse: no such customer }]
  persons:
    approval: [{ outcome: approved }]      # by what is awaited

Guards are those of workflow files; steps.NAME is how a step of the past ended: outcome, outcomes (all, in their order) and data.

Exit code: 0 when all are the same, or differ only where --expect says; 1 when some differ; 3 when none does and some cannot be known; 2 when no order matches, \
the log cannot be read or a file is wrong.";

/// Options of `tenuto backtest`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct BacktestArgs {
    /// The definition to try
    #[arg(long, value_name = "FILE")]
    workflow: PathBuf,
    #[command(flatten)]
    log: LogArgs,
    /// Only orders placed at this moment or later
    #[arg(long, value_name = "TIME", value_parser = a_moment)]
    since: Option<DateTime<Utc>>,
    /// Only orders placed before this moment
    #[arg(long, value_name = "TIME", value_parser = a_moment)]
    until: Option<DateTime<Utc>>,
    /// Only orders that match, as for `tenuto cancel`: workflow=order-fulfilment@1,state=COMPLETED. They match as the log has them
    #[arg(long = "where", value_name = "FILTER", value_parser = filter::conditions)]
    filters: Vec<Conditions>,
    /// Only so many of them, picked by their ids: the same ones each time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sample: Option<u32>,
    /// Answers to what was never asked, or other answers
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Take no answer of an action that was told something else
    #[arg(long)]
    same_input: bool,
    /// A step at which orders may differ; can be given several times
    #[arg(long, value_name = "STEP")]
    expect: Vec<String>,
    /// Print a line of JSON for each order that is not the same, and one for all
    #[arg(long)]
    json: bool,
}

fn a_moment(text: &str) -> Result<DateTime<Utc>, String> {
    moment::parse(text).ok_or_else(|| "write one like 2026-01-31 or 2026-01-31T09:00:00Z".to_owned())
}

/// Tries the definition on the orders of the log, and prints the result.
pub async fn run(args: BacktestArgs) -> Result<ExitCode, LabError> {
    let Some(bench) = bench(&args)? else { return Ok(ExitCode::from(WRONG)) };
    let log = args.log.open().await.map_err(LogError::from)?;
    let code = output::forgive_closed_pipe(backtest(&log, bench, &args).await);
    log.close().await;
    code
}

async fn backtest(log: &Log, bench: Bench, args: &BacktestArgs) -> Result<ExitCode, LabError> {
    let began = Instant::now();
    let tally = trial::all(log, Arc::new(bench), args.sample, args.json).await?;
    let text = if args.json {
        format!("{}\n", report::summary(&tally, began.elapsed()))
    } else {
        report::render(&tally, began.elapsed(), Palette::of_stdout(), output::screen::width())
    };
    output::print(&text)?;
    if tally.orders() == 0 {
        output::complain(
            "tenuto: nothing was tried: no order of the log matches; is it the right log (--event-store, --data)?",
        );
        return Ok(ExitCode::from(WRONG));
    }
    Ok(exit_code(&tally, &args.expect))
}

fn exit_code(tally: &Tally, expected: &[String]) -> ExitCode {
    if tally.differs_beside(expected) {
        ExitCode::from(crate::NOT_AS_ASKED)
    } else if tally.is_unknown() {
        ExitCode::from(UNKNOWN)
    } else {
        ExitCode::SUCCESS
    }
}

/// What the options ask for; none: a file is wrong, and has been told of.
fn bench(args: &BacktestArgs) -> Result<Option<Bench>, LabError> {
    let selection = Selection::of(args.since, args.until, &args.filters).map_err(LabError::Filter)?;
    let Some(workflow) = parse(&args.workflow)? else { return Ok(None) };
    let rules = match &args.answers {
        None => None,
        Some(file) => match rules(file, &workflow)? {
            Ok(rules) => Some(rules),
            Err(faults) => {
                faults.iter().for_each(|fault| output::complain(&format!("{}:{fault}", file.display())));
                return Ok(None);
            }
        },
    };
    let options = Options { rules, same_input: args.same_input };
    Ok(Some(Bench { workflow, options, selection }))
}

fn rules(file: &Path, workflow: &Workflow) -> Result<Result<Rules, Faults>, FileError> {
    Ok(Rules::parse(&read(file)?, workflow))
}
