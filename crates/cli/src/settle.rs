//! `tenuto approve | decline | withdraw`: what becomes of an operation that a second person has to
//! approve.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::client::{Client, Line, Lines, ServerArgs, Settled};
use crate::{CommandError, NOT_AS_ASKED};
use command_line::output::{self, printable};

/// The help after the options.
const AFTER_HELP: &str = "\
`tenuto approvals` lists the requests that wait, with their ids.

Exit code: 0 when it is recorded, and for a batch, when the operation was taken for each of its orders; 1 when it was refused; 2 when the \
server cannot be reached or the command is wrong.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum SettleCommand {
    /// Approve an operation that another person asked for: it is carried out at once
    Approve(ApproveArgs),
    /// Decline an operation that another person asked for
    Decline(DeclineArgs),
    /// Withdraw an operation that you asked for
    Withdraw(WithdrawArgs),
}

/// Which request.
#[derive(Debug, Args)]
struct RequestArgs {
    /// The id of the request
    request: String,
    #[command(flatten)]
    server: ServerArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Options of `tenuto approve`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ApproveArgs {
    #[command(flatten)]
    which: RequestArgs,
    /// The reason, which is recorded
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// For a batch that was interrupted: go on after this order
    #[arg(long, value_name = "ORDER")]
    after: Option<String>,
}

/// Options of `tenuto decline`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DeclineArgs {
    #[command(flatten)]
    which: RequestArgs,
    /// The reason, which is recorded
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Options of `tenuto withdraw`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct WithdrawArgs {
    #[command(flatten)]
    which: RequestArgs,
    /// The reason, which is recorded
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// What becomes of a request.
struct Saying {
    verb: &'static str,
    past: &'static str,
    body: Map<String, Value>,
}

/// Settles a request.
pub async fn run(command: SettleCommand) -> Result<ExitCode, CommandError> {
    let (which, saying) = match command {
        SettleCommand::Approve(ApproveArgs { which, reason, after }) => {
            let body = fields([("reason", reason), ("after", after)]);
            (which, Saying { verb: "approve", past: "approved", body })
        }
        SettleCommand::Decline(DeclineArgs { which, reason }) => {
            (which, Saying { verb: "decline", past: "declined", body: fields([("reason", Some(reason))]) })
        }
        SettleCommand::Withdraw(WithdrawArgs { which, reason }) => {
            (which, Saying { verb: "withdraw", past: "withdrawn", body: fields([("reason", reason)]) })
        }
    };
    let client = which.server.client()?;
    output::forgive_closed_pipe(settle(&client, &which, &saying).await)
}

fn fields<const N: usize>(fields: [(&str, Option<String>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))).collect()
}

async fn settle(client: &Client, which: &RequestArgs, saying: &Saying) -> Result<ExitCode, CommandError> {
    let RequestArgs { request, json, .. } = which;
    match client.settle(request, saying.verb, &saying.body).await? {
        Settled::Recorded(answer) => {
            if *json {
                output::print_json(&format!("{answer}\n"))?;
            } else {
                output::print(&format!("{}\n", printable(&format!("request {request} is {}", saying.past))))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Settled::Batch(lines) => batch(request, *json, lines).await,
        Settled::Refused(problem) => {
            let told = format!("request {request} is not {}: {}", saying.past, problem.in_words());
            output::complain(&printable(&told));
            Ok(ExitCode::from(NOT_AS_ASKED))
        }
    }
}

/// The orders of a batch, as they are decided.
async fn batch(request: &str, json: bool, mut lines: Lines) -> Result<ExitCode, CommandError> {
    let (mut taken, mut refused, mut last) = (0_u64, 0_u64, None);
    let end = loop {
        let Some((text, line)) = lines.next().await? else { break "the answer ended before its end".to_owned() };
        if json {
            output::print_json(&format!("{text}\n"))?;
        }
        match line {
            Line::Order(verdict) => {
                last = Some(verdict.order_id.clone());
                if verdict.status == 202 {
                    taken += 1;
                } else {
                    refused += 1;
                    let told = format!("order {}: {}", verdict.order_id, verdict.problem.in_words());
                    output::complain(&printable(&told));
                }
            }
            Line::Asked { .. } | Line::Beginning { .. } => {}
            Line::Done { .. } => {
                let told = format!("request {request} is approved: taken for {taken} orders, refused by {refused}\n");
                if !json {
                    output::print(&printable(&told))?;
                }
                return Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(NOT_AS_ASKED) });
            }
            Line::Stopped { stopped } => break stopped,
        }
    };
    let goes_on = last.map(|last| format!("; continue with --after {last}")).unwrap_or_default();
    Err(CommandError::BrokenOff { why: format!("{end}{goes_on}") })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::stub::{Reply, Stub};

    #[derive(Parser)]
    struct Root {
        #[command(subcommand)]
        command: SettleCommand,
    }

    async fn code(stub: &Stub, words: &[&str]) -> Result<ExitCode, CommandError> {
        let words = [&["tenuto"], words, &["--server", &stub.base]].concat();
        run(Root::try_parse_from(words).unwrap().command).await
    }

    #[tokio::test]
    async fn a_request_is_approved_declined_and_withdrawn_with_a_reason() {
        let stub = Stub::start().await;
        assert_eq!(code(&stub, &["approve", "10248:1"]).await.unwrap(), ExitCode::SUCCESS);
        let declined = code(&stub, &["decline", "10248:2", "--reason", "not now"]).await.unwrap();
        assert_eq!(declined, ExitCode::SUCCESS);
        assert_eq!(code(&stub, &["withdraw", "10248:3"]).await.unwrap(), ExitCode::SUCCESS);
        let settled = |id: &str, verb: &str, body| (id.to_owned(), verb.to_owned(), body);
        let expected = [
            settled("10248:1", "approve", json!({})),
            settled("10248:2", "decline", json!({ "reason": "not now" })),
            settled("10248:3", "withdraw", json!({})),
        ];
        assert_eq!(stub.settled(), expected);
        assert!(Root::try_parse_from(["tenuto", "decline", "10248:2"]).is_err());
    }

    #[tokio::test]
    async fn what_is_refused_ends_with_1_and_so_does_a_batch_that_an_order_refuses() {
        let stub = Stub::start().await;
        stub.replies([Reply::status(403)]);
        assert_eq!(code(&stub, &["approve", "10248:1"]).await.unwrap(), ExitCode::from(NOT_AS_ASKED));
        let beginning = json!({ "matches": 2, "before": "2026-01-31T09:00:00Z" });
        let taken = json!({ "orderId": "a", "status": 202, "revision": 5, "position": "9" });
        let refused = json!({ "orderId": "b", "status": 409, "state": "COMPLETED", "detail": "too late" });
        let done = json!({ "done": true });
        stub.batches([
            vec![beginning.clone(), taken.clone(), done.clone()],
            vec![beginning.clone(), taken.clone(), refused, done],
            vec![beginning, taken],
        ]);
        assert_eq!(code(&stub, &["approve", "batch"]).await.unwrap(), ExitCode::SUCCESS);
        assert_eq!(code(&stub, &["approve", "batch"]).await.unwrap(), ExitCode::from(NOT_AS_ASKED));
        let error = code(&stub, &["approve", "batch", "--after", "0"]).await.unwrap_err().to_string();
        assert!(error.contains("--after a"), "{error}");
    }
}
