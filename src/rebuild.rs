//! `tenuto rebuild`: makes views anew from the log, beside the live ones, and puts them in their place.

use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};
use event_store::client::EventStore;
use projector::compare::Difference;
use projector::rebuild::{RebuildOptions, Rebuilt, Stage, View, rebuild};

use crate::args::ServerUrls;
use crate::commands::output;
use crate::commands::progress::{Counts, Progress};
use crate::{backends, signals};

/// The exit code for "the live views are not what the log says".
const DIFFERENCES: u8 = 1;

/// Options of `tenuto rebuild`.
#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    /// The views to make anew; without any, all of them
    #[arg(value_name = "VIEW")]
    views: Vec<ViewName>,
    /// Only say where the live views differ from those made anew (exit code 1 if they do), and change nothing
    #[arg(long)]
    check: bool,
    /// Begin anew where an earlier rebuild was interrupted, instead of going on
    #[arg(long)]
    anew: bool,
    #[command(flatten)]
    servers: ServerUrls,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ViewName {
    /// Where each order stands
    Orders,
    /// Where each step of each order stands
    Steps,
    /// Every event of every order
    Timeline,
    /// Orders that somebody has to look at again
    Todo,
    /// How many orders of each state and status were placed in each hour, and in all
    OrderCounts,
    /// Registered definitions
    Workflows,
}

impl From<ViewName> for View {
    fn from(name: ViewName) -> Self {
        match name {
            ViewName::Orders => Self::Orders,
            ViewName::Steps => Self::Steps,
            ViewName::Timeline => Self::Timeline,
            ViewName::Todo => Self::Todo,
            ViewName::OrderCounts => Self::Counts,
            ViewName::Workflows => Self::Workflows,
        }
    }
}

pub(crate) async fn run(args: RebuildArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let stop = signals::stop_token()?;
    let log = EventStore::connect(args.servers.named_event_store()?)?;
    let pool = backends::views(args.servers.named_postgres()?).await?;
    let views =
        if args.views.is_empty() { View::ALL.to_vec() } else { args.views.into_iter().map(View::from).collect() };
    let options = RebuildOptions { views, only_check: args.check, anew: args.anew };
    let progress = Progress::start(Done { stage: None, begun: Instant::now(), from: None });
    let outcome = rebuild(&options, &log, &pool, &stop, |stage| progress.change(|done| done.reach(stage))).await;
    progress.finish();
    let rebuilt = outcome?;
    output::print(&report(&rebuilt, &options))?;
    Ok(if rebuilt.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENCES) })
}

fn report(rebuilt: &Rebuilt, options: &RebuildOptions) -> String {
    let position = rebuilt.position.map_or_else(|| "the beginning".to_owned(), |at| format!("position {}", at.commit));
    if !options.only_check {
        let views: Vec<&str> = options.views.iter().map(|view| view.table()).collect();
        return format!("made anew up to {position} and put in place: {}\n", views.join(", "));
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

/// How far it is.
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
