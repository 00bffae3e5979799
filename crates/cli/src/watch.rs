//! `tenuto watch ORDER`: prints what happens to an order, as it happens.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::client::{Client, ServerArgs};
use crate::timeline::{self, Followed, Following};
use crate::views::{Standing, State};
use crate::{CommandError, NOT_AS_ASKED};
use command_line::duration;
use command_line::output::{self, Palette, printable};

/// Options of `tenuto watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 if the order ended, or came to rest; 1 if it is stuck, or did not exist in time; 2 if the server cannot be reached."
)]
pub struct WatchArgs {
    /// The order's id
    order: String,
    #[command(flatten)]
    server: ServerArgs,
    /// Also stop when the order comes to rest before its end: it waits for a person, or is
    /// back-ordered
    #[arg(long)]
    until_rest: bool,
    /// How long to wait for an order that does not exist yet
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = duration::parse)]
    timeout: Duration,
}

/// Exit code 0: the order ended (or came to rest); 1: it is stuck, or does not exist.
pub async fn run(args: WatchArgs) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    output::forgive_closed_pipe(watch(&client, &args).await)
}

async fn watch(client: &Client, args: &WatchArgs) -> Result<ExitCode, CommandError> {
    let palette = Palette::of_stdout();
    let following = Following { client, order_id: &args.order, until_rest: args.until_rest, patience: args.timeout };
    let followed =
        following.run(|entry, first| output::print(&format!("{}\n", timeline::line(entry, first, palette)))).await?;
    match followed {
        Followed::ToItsEnd(standing) => {
            output::print(&conclusion(&args.order, &standing))?;
            Ok(exit_code(&standing))
        }
        Followed::NeverThere => {
            output::complain(&format!(
                "tenuto: there is no order {} at {}, nor did one come within {}",
                printable(&args.order),
                client.base(),
                duration::render(args.timeout)
            ));
            Ok(ExitCode::from(NOT_AS_ASKED))
        }
    }
}

fn conclusion(order: &str, standing: &Standing) -> String {
    let reason = standing.stuck_reason.as_deref().map(|reason| format!(": {}", printable(reason))).unwrap_or_default();
    format!("\nOrder {} is {} ({}){reason}\n", printable(order), printable(&standing.status), standing.state.as_str())
}

fn exit_code(standing: &Standing) -> ExitCode {
    if standing.state == State::Stuck { ExitCode::from(NOT_AS_ASKED) } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stub::Stub;

    fn args(stub: &Stub, order: &str) -> WatchArgs {
        let server = ServerArgs::of(&stub.base);
        WatchArgs { order: order.to_owned(), server, until_rest: false, timeout: Duration::ZERO }
    }

    fn known(stub: &Stub, state: &str) {
        let timeline = json!({ "edges": [], "pageInfo": { "hasNextPage": false, "endCursor": null } });
        stub.order("1", json!({ "status": "Placed", "state": state, "revision": -1, "timeline": timeline }));
    }

    #[tokio::test]
    async fn the_exit_code_tells_an_end_from_a_stuck_or_unknown_order() {
        let stub = Stub::start().await;
        for (state, code) in [("COMPLETED", 0), ("CANCELED", 0), ("STUCK", 1)] {
            known(&stub, state);
            assert_eq!(run(args(&stub, "1")).await.unwrap(), ExitCode::from(code), "{state}");
        }
        assert_eq!(run(args(&stub, "2")).await.unwrap(), ExitCode::from(1));
    }

    #[test]
    fn the_last_line_says_where_the_order_stands_and_why_it_is_stuck() {
        let standing: Standing = serde_json::from_value(json!({
            "status": "Placed", "state": "STUCK", "revision": 4, "stuckReason": "undo of charge: failed for good\n"
        }))
        .unwrap();
        assert_eq!(conclusion("7", &standing), "\nOrder 7 is Placed (STUCK): undo of charge: failed for good\\n\n");
    }
}
