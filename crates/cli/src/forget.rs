//! `tenuto forget`: erases a customer's personal data.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::client::{Erasure, Forgotten, ServerArgs};
use crate::operate::AttributionArgs;
use crate::{CommandError, NOT_AS_ASKED};
use command_line::output;

/// The help after the options.
const AFTER_HELP: &str = "\
Personal data are sealed with a key that each customer has. The key is destroyed: what is in the log, in the views and in copies of \
them stays as it is, and no one can read it any more. `tenuto audit verify` holds as before. This cannot be taken back. \
Participants that keep copies receive an event in the stream `erasures`.

A backup of Postgres that was made before has the key in it.

Exit code: 0 when it is done; 1 when it was refused, because an order of the customer's has not ended, or because there is no such \
customer; 2 when the server cannot be reached or the command is wrong.";

/// Options of `tenuto forget`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ForgetArgs {
    /// The shop's id of the customer
    customer: String,
    #[command(flatten)]
    attribution: AttributionArgs,
    #[command(flatten)]
    server: ServerArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Requests that a customer is forgotten.
pub async fn run(args: ForgetArgs) -> Result<ExitCode, CommandError> {
    output::forgive_closed_pipe(forget(args).await)
}

async fn forget(args: ForgetArgs) -> Result<ExitCode, CommandError> {
    let ForgetArgs { customer, attribution, server, json } = args;
    match server.client()?.forget(&customer, &attribution.into_fields(&server)).await? {
        Erasure::Done(forgotten) => {
            if json {
                output::print_json(&format!("{}\n", json!(forgotten)))?;
            } else {
                output::print(&format!("{}\n", output::printable_lines(&told(&forgotten))))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Erasure::Refused(problem) => {
            output::complain(&format!("customer {customer} is not forgotten: {}", problem.in_words()));
            Ok(ExitCode::from(NOT_AS_ASKED))
        }
    }
}

fn told(Forgotten { customer_id, orders, in_the_clear, open_orders, .. }: &Forgotten) -> String {
    let many = |count: u64| if count == 1 { "1 order".to_owned() } else { format!("{count} orders") };
    let done =
        format!("customer {customer_id} is forgotten: the personal data of {} cannot be read any more", many(*orders));
    let in_the_clear = match in_the_clear {
        0 => String::new(),
        some => format!(
            "\nbut for {}, taken before personal data were sealed: the log still has them, and so have the views",
            many(*some)
        ),
    };
    let open = if open_orders.is_empty() {
        String::new()
    } else {
        format!(
            "\nthese orders have not ended: {}; a step that needs personal data leaves them STUCK: cancel the order, or skip the step",
            open_orders.join(", ")
        )
    };
    format!("{done}{in_the_clear}{open}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_and_what_could_not_be() {
        let told_of_open = |orders, in_the_clear, open: &[&str]| {
            let (customer_id, position) = ("VINET".to_owned(), "7".to_owned());
            let open_orders = open.iter().map(|&id| id.to_owned()).collect();
            told(&Forgotten { customer_id, orders, in_the_clear, open_orders, position })
        };
        let told = |orders, in_the_clear| told_of_open(orders, in_the_clear, &[]);
        assert!(told_of_open(2, 0, &["1", "2"]).ends_with(
            "have not ended: 1, 2; a step that needs personal data leaves them STUCK: cancel the order, or skip the step"
        ));
        assert_eq!(told(1, 0), "customer VINET is forgotten: the personal data of 1 order cannot be read any more");
        assert!(told(3, 2).ends_with(
            "but for 2 orders, taken before personal data were sealed: the log still has them, and so have the views"
        ));
    }
}
