//! `tenuto cancel | note | pause | resume | retry | skip`: an operator acts on orders, which are
//! named or match a filter.

mod action;
mod checkpoint;
mod job;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use serde_json::{Map, Value, json};

pub use self::action::OperatorAction;
use self::checkpoint::Checkpoint;
use self::job::{Asked, Job};
use crate::CommandError;
use crate::client::{Client, ServerArgs};
use command_line::filter::{self, Conditions};
use command_line::output::{self, Palette};

/// The help after the options.
fn after_help() -> String {
    format!(
        "\
An order has to meet all conditions of a filter. {filter}
A filter selects among the orders in the views that were placed before the command began. What \
happens to each of them depends on its state in the log.

The same command can be repeated: orders that have the result already are reported as such. With \
--resume, it continues where it was interrupted.

`canceled now` means that undoing has begun; `tenuto show` tells how it proceeds.

Exit code: 0 when every order is as asked; 1 when one had ended otherwise, was refused or does not \
exist; 2 when the server cannot be reached or the command is wrong.",
        filter = filter::HELP
    )
}

/// Options of all these commands.
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub struct OperateArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    more: MoreArgs,
}

/// Which orders.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct WhichArgs {
    /// The orders' ids
    #[arg(value_name = "ORDER")]
    orders: Vec<String>,
    /// All orders that match, like state=RUNNING,status=Placed; if given several times, an order
    /// has to match each filter
    #[arg(long = "where", value_name = "FILTER", value_parser = filter::conditions)]
    filters: Vec<Conditions>,
    /// All orders
    #[arg(long)]
    all: bool,
}

/// Who acts, and why.
#[derive(Debug, Args)]
pub(super) struct AttributionArgs {
    /// The reason, which is recorded
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The person who acts [default: the user; none, if credentials are sent, since the server
    /// knows whose they are]
    #[arg(long, env = "TENUTO_ACTOR", value_name = "NAME")]
    actor: Option<String>,
}

impl AttributionArgs {
    /// As fields of a request to a server.
    pub fn into_fields(self, server: &ServerArgs) -> Map<String, Value> {
        let user = || std::env::var("USER").ok().filter(|user| !user.is_empty() && !server.sends_credentials());
        let actor = self.actor.or_else(user).map(|actor| ("actor".to_owned(), json!(actor)));
        [("reason".to_owned(), json!(self.reason))].into_iter().chain(actor).collect()
    }
}

/// Options that do not select orders.
#[derive(Debug, Args)]
struct MoreArgs {
    #[command(flatten)]
    attribution: AttributionArgs,
    #[command(flatten)]
    server: ServerArgs,
    /// Only count the orders that match
    #[arg(long, conflicts_with = "orders")]
    dry_run: bool,
    /// A file for the progress of the command; an interrupted command that is given again continues
    /// from there
    #[arg(long, value_name = "FILE", conflicts_with_all = ["orders", "dry_run"])]
    resume: Option<PathBuf>,
    /// Print a line of JSON for each order, and one with the counts
    #[arg(long)]
    json: bool,
}

/// Options of `tenuto retry`.
#[derive(Debug, Args)]
pub struct RetryArgs {
    #[command(flatten)]
    operate: OperateArgs,
    /// Only this step
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
}

/// Options of `tenuto skip`.
#[derive(Debug, Args)]
pub struct SkipArgs {
    #[command(flatten)]
    operate: OperateArgs,
    /// The step whose answer is assumed
    #[arg(long, value_name = "STEP")]
    step: String,
    /// The answer [default: done, for a step that names none]; to skip the undo of a step, name
    /// none
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// The data of the answer, as JSON
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    data: Option<Value>,
}

pub(super) fn json_value(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))
}

/// `tenuto cancel`, `note`, `pause` or `resume`.
pub async fn run(action: OperatorAction, args: OperateArgs) -> Result<ExitCode, CommandError> {
    with(action, Map::new(), args).await
}

/// `tenuto retry`.
pub async fn retry(args: RetryArgs) -> Result<ExitCode, CommandError> {
    let step = args.step.map(|step| ("step".to_owned(), json!(step)));
    with(OperatorAction::Retry, step.into_iter().collect(), args.operate).await
}

/// `tenuto skip`.
pub async fn skip(args: SkipArgs) -> Result<ExitCode, CommandError> {
    let fields = [("step", Some(json!(args.step))), ("outcome", args.outcome.map(Value::String)), ("data", args.data)];
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    with(OperatorAction::Skip, fields.collect(), args.operate).await
}

async fn with(action: OperatorAction, fields: Map<String, Value>, args: OperateArgs) -> Result<ExitCode, CommandError> {
    let client = args.more.server.client()?;
    output::forgive_closed_pipe(operate(&client, action, fields, args).await)
}

async fn operate(
    client: &Client,
    action: OperatorAction,
    mut fields: Map<String, Value>,
    args: OperateArgs,
) -> Result<ExitCode, CommandError> {
    let OperateArgs { which: WhichArgs { orders, filters, all }, more } = args;
    let filter = filter::filter(filters.iter().flat_map(|filter| &filter.0)).map_err(CommandError::Filter)?;
    let which = if all { ("all", json!(true)) } else { ("where", json!(filter)) };
    let which = Map::from_iter([(which.0.to_owned(), which.1)]);
    fields.insert("operation".to_owned(), json!(action.as_str()));
    let mut asked = fields.clone();
    asked.extend(which.clone());
    asked.insert("server".to_owned(), json!(client.base()));
    fields.extend(more.attribution.into_fields(&more.server));
    let checkpoint = Checkpoint::open(more.resume.as_deref(), Value::Object(asked))?;
    let asked = Asked { action, fields, json: more.json };
    if more.dry_run {
        let matches = job::count(client, &asked, which).await?;
        let text = if more.json { json!({ "matches": matches }).to_string() } else { matching(matches) };
        output::print(&format!("{text}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let began = Instant::now();
    let mut job = Job::new(client, &asked, checkpoint);
    let carried = if orders.is_empty() { job.matching(which).await } else { job.named(&without_repeats(orders)).await };
    let tally = job.end();
    for warning in tally.warnings() {
        output::complain(&warning);
    }
    if carried.is_ok() || tally.orders() > 0 {
        if more.json {
            output::print_json(&format!("{}\n", tally.as_json()))?;
        } else {
            output::print(&tally.render(began.elapsed(), Palette::of_stdout()))?;
        }
    }
    carried.map(|()| tally.exit_code())
}

fn matching(matches: u64) -> String {
    match matches {
        1 => "1 order matches".to_owned(),
        many => format!("{many} orders match"),
    }
}

fn without_repeats(ids: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    ids.into_iter().filter(|id| seen.insert(id.clone())).collect()
}

#[cfg(test)]
mod tests;
