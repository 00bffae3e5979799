//! Waits until placed orders come to rest.

use std::collections::VecDeque;
use std::time::Duration;

use back_off::{BackOff, Limits};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::progress::Progress;
use super::report::Rests;
use super::submit::Accepted;
use super::warning::Warning;
use crate::CommandError;
use crate::client::Client;
use crate::views::{self, Standing, State};
use command_line::duration;

/// Orders that are accepted and not yet watched.
pub const QUEUE: usize = 1024;
/// Orders that are watched at any time; past it, placing waits.
const MAX_WATCHED: usize = 100_000;
/// The pause between two rounds. It grows while no order comes to rest.
const PAUSES: Limits = Limits::new(Duration::from_millis(50), Duration::from_secs(1));

struct Watched {
    order: Accepted,
    deadline: Instant,
    /// Its last known state. `None`: the views have not had it so far.
    standing: Option<Standing>,
}

struct Watch {
    newcomers: Receiver<Accepted>,
    timeout: Duration,
    /// In the order of the queries.
    watched: VecDeque<Watched>,
}

/// Watches the orders that come in until all have come to rest, each for no longer than `timeout`
/// after it was accepted. Ends early, with an error, when the server is lost.
pub async fn watch(
    client: &Client,
    newcomers: Receiver<Accepted>,
    timeout: Duration,
    progress: &Progress,
) -> (Rests, Option<CommandError>) {
    let mut rests = Rests::default();
    let mut watch = Watch { newcomers, timeout, watched: VecDeque::new() };
    let mut back_off = BackOff::new(PAUSES);
    while watch.gather(back_off.next_pause()).await {
        match watch.round(client, &mut rests, progress).await {
            Ok(0) => {}
            Ok(_) => back_off.reset(),
            Err(error) => return (rests, Some(error)),
        }
        progress.tick();
    }
    (rests, None)
}

impl Watch {
    /// Pauses, and takes in the orders that arrive. Returns whether there are orders to watch.
    async fn gather(&mut self, pause: Duration) -> bool {
        if self.watched.is_empty() {
            match self.newcomers.recv().await {
                Some(order) => self.add(order),
                None => return false,
            }
        }
        let until = Instant::now() + pause;
        while self.watched.len() < MAX_WATCHED {
            match timeout_at(until, self.newcomers.recv()).await {
                Ok(Some(order)) => self.add(order),
                Ok(None) => break,
                Err(_) => return true,
            }
        }
        sleep_until(until).await;
        true
    }

    fn add(&mut self, order: Accepted) {
        let deadline = Instant::now() + self.timeout;
        self.watched.push_back(Watched { order, deadline, standing: None });
    }

    /// Queries each order once, and stops watching those that are at rest or out of time. Returns
    /// how many.
    async fn round(&mut self, client: &Client, rests: &mut Rests, progress: &Progress) -> Result<usize, CommandError> {
        let before = self.watched.len();
        let mut left = before;
        while left > 0 {
            let batch = left.min(views::BATCH);
            left -= batch;
            let ids: Vec<&str> = self.watched.iter().take(batch).map(|watched| watched.order.id.as_str()).collect();
            let standings = views::standings(client, &ids).await?;
            let asked: Vec<Watched> = self.watched.drain(..batch).collect();
            for (watched, standing) in asked.into_iter().zip(standings) {
                let watched = Watched { standing: standing.or(watched.standing), ..watched };
                match judge(&watched, Instant::now(), self.timeout) {
                    Verdict::Watch => self.watched.push_back(watched),
                    Verdict::LetGo(warning) => {
                        rests.add(watched.standing.as_ref(), warning);
                        progress.rested();
                    }
                }
            }
        }
        Ok(before - self.watched.len())
    }
}

enum Verdict {
    Watch,
    LetGo(Option<Warning>),
}

fn judge(watched: &Watched, now: Instant, timeout: Duration) -> Verdict {
    let warning = |what| {
        let Accepted { line, id } = watched.order.clone();
        Verdict::LetGo(Some(Warning { line, order: Some(id), what }))
    };
    match &watched.standing {
        Some(standing) if standing.state == State::Stuck => {
            warning(format!("stuck: {}", standing.stuck_reason.as_deref().unwrap_or("no reason is given")))
        }
        Some(standing) if standing.is_at_rest() => Verdict::LetGo(None),
        _ if now < watched.deadline => Verdict::Watch,
        Some(standing) => warning(format!(
            "not at rest within {}: still {} ({})",
            duration::render(timeout),
            standing.status,
            standing.state.as_str()
        )),
        None => warning(format!("placed, but not to be seen in the views within {}", duration::render(timeout))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::sync::mpsc;

    use super::*;
    use crate::stub::{Stub, eventually};

    fn standing(status: &str, state: &str) -> Value {
        json!({ "status": status, "state": state, "revision": 1, "stuckReason": "refund was refused" })
    }

    fn accepted(id: &str) -> Accepted {
        Accepted { line: 1, id: id.to_owned() }
    }

    #[tokio::test]
    async fn orders_are_watched_until_all_rest() {
        let stub = Stub::start().await;
        let (sender, receiver) = mpsc::channel(QUEUE);
        for id in ["a", "b", "c"] {
            sender.send(accepted(id)).await.unwrap();
        }
        drop(sender);
        stub.order("a", standing("Shipped", "COMPLETED"));
        stub.order("b", standing("Placed", "RUNNING"));
        let (client, progress) = (stub.client(), Progress::start(Some(3), true));
        let watching = watch(&client, receiver, Duration::from_mins(1), &progress);
        let changing = async {
            eventually("a second round", || async { stub.queries().len() > 1 }).await;
            stub.order("b", standing("Canceled", "CANCELED"));
            stub.order("c", standing("Placed", "STUCK"));
        };
        let ((rests, error), ()) = tokio::join!(watching, changing);
        assert!(error.is_none());
        let counted: Vec<(&str, u64)> = rests.by_standing().map(|(status, _, orders)| (status, orders)).collect();
        assert_eq!(counted, [("Canceled", 1), ("Placed", 1), ("Shipped", 1)]);
        assert_eq!(rests.warnings().len(), 1);
        assert!(rests.warnings()[0].what.contains("refund was refused"));
    }

    #[tokio::test]
    async fn an_order_is_waited_for_no_longer_than_said() {
        let stub = Stub::start().await;
        stub.order("slow", standing("Placed", "RUNNING"));
        let (sender, receiver) = mpsc::channel(QUEUE);
        sender.send(accepted("slow")).await.unwrap();
        sender.send(accepted("unseen")).await.unwrap();
        drop(sender);
        let (rests, _) = watch(&stub.client(), receiver, Duration::from_millis(1), &Progress::start(None, true)).await;
        let what: Vec<&str> = rests.warnings().iter().map(|warning| warning.what.as_str()).collect();
        assert_eq!(
            what,
            [
                "not at rest within 0.001 s: still Placed (RUNNING)",
                "placed, but not to be seen in the views within 0.001 s"
            ]
        );
    }

    #[tokio::test]
    async fn a_lost_server_ends_the_watch_with_what_is_known() {
        let stub = Stub::start().await;
        stub.answers([json!({ "errors": [{ "message": "broken" }] })]);
        let (sender, receiver) = mpsc::channel(QUEUE);
        sender.send(accepted("a")).await.unwrap();
        let (rests, error) = watch(&stub.client(), receiver, Duration::ZERO, &Progress::start(None, true)).await;
        assert_eq!(rests.by_standing().count(), 0);
        assert!(matches!(error, Some(CommandError::Query { .. })));
    }
}
