//! `tenuto rebuild`: rebuilds views from the log next to the live ones, and replaces the live ones.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};
use command_line::output;
use command_line::progress::{Counts, Progress};
use event_store::EventStore;
use leader_consumer::Mismatch;
use projector::compare::Difference;
use projector::rebuild::{RebuildOptions, Rebuilt, Stage, View};
use servers::ServerUrls;
use servers::stream_prefix::adopt;
use tokio_util::sync::CancellationToken;

use crate::MaintenanceError;
use crate::rebuild::{OtherLog, rebuild};

/// The exit code for "the live views differ from the log".
const DIFFERENCES: u8 = 1;
/// The exit code for "nothing was done", and for "there was nothing to compare".
const NOT_DONE: u8 = 2;

/// Asks the operator at the terminal.
fn confirmed(mismatch: &Mismatch) -> Result<bool, MaintenanceError> {
    if !std::io::stdin().is_terminal() {
        return Err(OtherLog::NotConfirmed(mismatch.clone()).into());
    }
    let question = format!(
        "The views were not made from this log: {mismatch}.\nOrders that this log does not have will disappear from the views. \
         Make them from this log? Type yes: "
    );
    output::confirm(&question).map_err(MaintenanceError::Terminal)
}

/// Options of `tenuto rebuild`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 if it is done, and with --check nothing differs; 1 if the live views differ; 2 if nothing was done or compared."
)]
pub struct RebuildArgs {
    /// The views to rebuild [default: all]
    #[arg(value_name = "VIEW")]
    views: Vec<ViewName>,
    /// Only report where the live views differ from the rebuilt ones (exit code 1 if they do), and
    /// change nothing
    #[arg(long)]
    check: bool,
    /// Start from the beginning if an earlier rebuild was interrupted, instead of continuing it
    #[arg(long, alias = "anew")]
    restart: bool,
    /// If the views were made from another log: rebuild them from this one, without asking. Orders
    /// that this log does not have disappear from the views
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    servers: ServerUrls,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ViewName {
    /// The state of each order
    Orders,
    /// The state of each step of each order
    Steps,
    /// Every event of every order
    Timeline,
    /// Orders with due work
    Todo,
    /// The number of orders of each state and status, for each hour and in total
    OrderCounts,
    /// The number of orders of each definition in each state
    WorkflowCounts,
    /// How long steps and orders of each definition took
    Estimates,
    /// When open orders and their open steps are expected to end
    Expectations,
    /// Operations that a second person has to approve
    Requests,
    /// Registered definitions
    Workflows,
    /// Webhooks
    Webhooks,
    /// Notifications of webhooks that were given up
    WebhookDeadLetters,
}

impl From<ViewName> for View {
    fn from(name: ViewName) -> Self {
        match name {
            ViewName::Orders => Self::Orders,
            ViewName::Steps => Self::Steps,
            ViewName::Timeline => Self::Timeline,
            ViewName::Todo => Self::Todo,
            ViewName::OrderCounts => Self::Counts,
            ViewName::WorkflowCounts => Self::WorkflowCounts,
            ViewName::Estimates => Self::Estimates,
            ViewName::Expectations => Self::Expectations,
            ViewName::Requests => Self::Requests,
            ViewName::Workflows => Self::Workflows,
            ViewName::Webhooks => Self::Webhooks,
            ViewName::WebhookDeadLetters => Self::DeadLetters,
        }
    }
}

/// Rebuilds the views, or only compares them, until `stop`.
pub async fn run(args: RebuildArgs, stop: &CancellationToken) -> Result<ExitCode, MaintenanceError> {
    let servers = args.servers.or_running()?;
    let log = EventStore::connect(servers.named_event_store()?)?;
    adopt(&log, servers.stream_prefix.as_deref()).await?;
    let pool = servers::views_beside(&log, servers.named_postgres()?).await?;
    let adopt = match views::compare_log(&log, &pool).await? {
        Some(mismatch) if args.check => return Err(OtherLog::NotCompared(mismatch).into()),
        Some(mismatch) if !args.yes && !confirmed(&mismatch)? => return Ok(ExitCode::from(NOT_DONE)),
        mismatch => mismatch.is_some(),
    };
    let views =
        if args.views.is_empty() { View::ALL.to_vec() } else { args.views.into_iter().map(View::from).collect() };
    let options = RebuildOptions { views, only_check: args.check, restart: args.restart, adopt };
    let progress = Progress::start(Done { stage: None, begun: Instant::now(), from: None });
    let outcome = rebuild(&options, &log, &pool, stop, |stage| progress.change(|done| done.reach(stage))).await;
    progress.finish();
    let rebuilt = outcome?;
    output::print(&report(&rebuilt, &options))?;
    if args.check {
        let keyless = views::keyless(&pool).await?;
        if keyless.orders > 0 {
            output::print(&format!("{keyless}\n"))?;
            return Ok(ExitCode::from(DIFFERENCES));
        }
    }
    if args.check && rebuilt.orders == 0 && rebuilt.differences.is_empty() {
        return Ok(ExitCode::from(NOT_DONE));
    }
    Ok(if rebuilt.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENCES) })
}

fn report(rebuilt: &Rebuilt, options: &RebuildOptions) -> String {
    let position = rebuilt.position.map_or_else(|| "the beginning".to_owned(), |at| format!("position {}", at.commit));
    if !options.only_check {
        let views: Vec<&str> = options.views.iter().map(|view| view.table()).collect();
        return format!("rebuilt up to {position} and now live: {}\n", views.join(", "));
    }
    if rebuilt.differences.is_empty() && rebuilt.orders == 0 {
        return format!("nothing was compared: the log has no order, up to {position}\n");
    }
    if rebuilt.differences.is_empty() {
        return format!("the live views are what the log says, up to {position}\n");
    }
    let lines: Vec<String> = rebuilt.differences.iter().map(in_words).collect();
    format!("the live views are not what the log says, up to {position}:\n{}", lines.concat())
}

fn in_words(difference: &Difference) -> String {
    let Difference { table, row, column, log, view, .. } = difference;
    let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
    let column = column.as_deref().unwrap_or("the row");
    let line = format!("  {table} {row}: {column} is {}, and should be {}", said(view), said(log));
    format!("{}\n", output::printable(&line))
}

/// How far the rebuild is.
struct Done {
    stage: Option<Stage>,
    begun: Instant,
    /// The position at which this run began.
    from: Option<u64>,
}

impl Done {
    fn reach(&mut self, stage: Stage) {
        if let Stage::Filling { position, .. } = stage {
            self.from.get_or_insert(position);
        }
        self.stage = Some(stage);
    }
}

impl Counts for Done {
    fn total(&self) -> Option<u64> {
        match self.stage {
            Some(Stage::Filling { of, .. }) => Some(of),
            _ => Some(0),
        }
    }

    fn done(&self) -> u64 {
        match self.stage {
            Some(Stage::Filling { position, .. }) => position,
            _ => 0,
        }
    }

    fn in_words(&self) -> String {
        match self.stage {
            None => "beginning".to_owned(),
            Some(Stage::Filling { position, of, events }) => {
                let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
                #[expect(clippy::cast_precision_loss, reason = "shown in whole numbers")]
                let (rate, speed) = (events as f64 / seconds, (position - self.from.unwrap_or(0)) as f64 / seconds);
                #[expect(clippy::cast_precision_loss, reason = "shown in whole numbers")]
                let left = if speed > 0.0 { (of.saturating_sub(position)) as f64 / speed } else { 0.0 };
                format!("{events} events, {rate:.0} a second, {left:.0} s left")
            }
            Some(Stage::Indexing(view)) => format!("indexing {}", view.table()),
            Some(Stage::Exchanging(0)) => "exchanging".to_owned(),
            Some(Stage::Exchanging(tries)) => format!("exchanging: others held the tables {tries} times"),
        }
    }
}
