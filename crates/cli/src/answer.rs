//! `tenuto answer`: answers a step, as the person that it waits for, or in place of a participant.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::client::{Answered, ServerArgs};
use crate::operate::{AttributionArgs, json_value};
use crate::{CommandError, NOT_AS_ASKED};
use command_line::output::{self, printable};

/// The help after the options.
const AFTER_HELP: &str = "\
`tenuto approvals` lists the steps that wait for a person, with the outcomes that each takes.

Exit code: 0 when the answer is recorded; 1 when it was refused, because the step does not wait for it or does not know the outcome; \
2 when the server cannot be reached or the command is wrong.";

/// Options of `tenuto answer`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct AnswerArgs {
    /// The order's id
    order: String,
    /// The step
    step: String,
    /// The outcome
    outcome: String,
    /// The data of the answer, as JSON
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    data: Option<Value>,
    #[command(flatten)]
    attribution: AttributionArgs,
    #[command(flatten)]
    server: ServerArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Answers a step.
pub async fn run(args: AnswerArgs) -> Result<ExitCode, CommandError> {
    output::forgive_closed_pipe(answer(args).await)
}

async fn answer(args: AnswerArgs) -> Result<ExitCode, CommandError> {
    let AnswerArgs { order, step, outcome, data, attribution, server, json } = args;
    let mut body: Map<String, Value> = attribution.into_fields(&server);
    body.insert("outcome".to_owned(), json!(outcome));
    body.extend(data.map(|data| ("data".to_owned(), data)));
    match server.client()?.answer(&order, &step, &body).await? {
        Answered::Recorded(receipt) => {
            if json {
                output::print_json(&format!("{receipt}\n"))?;
            } else {
                let told = format!("order {order}: step {step} is answered {outcome}");
                output::print(&format!("{}\n", printable(&told)))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Answered::Refused(problem) => {
            let told = format!("order {order}: step {step} is not answered: {}", problem.in_words());
            output::complain(&printable(&told));
            Ok(ExitCode::from(NOT_AS_ASKED))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::stub::{Reply, Stub};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: AnswerArgs,
    }

    fn args(stub: &Stub, more: &[&str]) -> AnswerArgs {
        let fixed =
            ["answer", "large", "approve", "approved", "--reason", "known", "--actor", "ann", "--server", &stub.base];
        Line::try_parse_from(fixed.iter().chain(more)).unwrap().args
    }

    #[tokio::test]
    async fn an_answer_has_outcome_data_actor_and_reason_and_is_sent_to_its_step() {
        let stub = Stub::start().await;
        let code = answer(args(&stub, &["--data", "{\"by\": 1}"])).await.unwrap();
        assert_eq!(code, ExitCode::SUCCESS);
        let body = json!({ "outcome": "approved", "data": { "by": 1 }, "actor": "ann", "reason": "known" });
        assert_eq!(stub.answered(), [("large".to_owned(), "approve".to_owned(), body)]);
    }

    #[tokio::test]
    async fn a_refused_answer_ends_with_1_and_a_server_that_fails_with_an_error() {
        let stub = Stub::start().await;
        stub.replies([Reply::status(409)]);
        assert_eq!(answer(args(&stub, &[])).await.unwrap(), ExitCode::from(NOT_AS_ASKED));
        stub.replies([Reply::status(500)]);
        assert!(matches!(answer(args(&stub, &[])).await, Err(CommandError::Failed { .. })));
    }
}
