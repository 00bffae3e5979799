//! Follows an order: passes on its timeline entries as they appear.

use std::time::{Duration, Instant};

use back_off::{BackOff, Limits};
use chrono::{DateTime, Utc};
use tokio::time::sleep;

use super::line;
use crate::CommandError;
use crate::client::Client;
use crate::views::{self, Entry, Standing};
use command_line::output::{self, Palette, Tint, WriteError};

/// The pause between two queries. It grows while nothing happens.
const PAUSES: Limits = Limits::new(Duration::from_millis(100), Duration::from_secs(1));
/// How long [`follow`] waits until the order exists.
const PATIENCE: Duration = Duration::from_secs(30);
/// Labels are padded to this, so that most of them line up.
const LABEL_WIDTH: usize = 18;

/// An order to be followed.
#[derive(Debug)]
pub struct Following<'a> {
    /// The client of the server.
    pub client: &'a Client,
    /// The order.
    pub order_id: &'a str,
    /// Whether to stop when the order comes to rest before its end.
    pub until_rest: bool,
    /// How long to wait for an order that does not exist yet.
    pub patience: Duration,
}

/// How following an order ended.
#[derive(Debug)]
pub enum Followed {
    /// The order is in this state, and all entries up to there were shown.
    ToItsEnd(Standing),
    /// Patience ended before the order existed.
    NeverThere,
}

impl Following<'_> {
    /// Passes each entry to `show` once, with the time of the first, until the order ends.
    pub async fn run(
        &self,
        mut show: impl FnMut(&Entry, DateTime<Utc>) -> Result<(), WriteError>,
    ) -> Result<Followed, CommandError> {
        let began = Instant::now();
        let mut cursor: Option<String> = None;
        let mut first = None;
        let mut shown = -1;
        let mut back_off = BackOff::new(PAUSES);
        loop {
            let Some(news) = views::news(self.client, self.order_id, cursor.as_deref()).await? else {
                if began.elapsed() >= self.patience {
                    return Ok(Followed::NeverThere);
                }
                sleep(back_off.next_pause()).await;
                continue;
            };
            for entry in news.timeline.entries() {
                show(entry, *first.get_or_insert(entry.recorded_at))?;
                shown = entry.revision;
                back_off.reset();
            }
            if let Some(end) = news.timeline.end_cursor() {
                cursor = Some(end.to_owned());
            }
            if news.timeline.has_next() {
                continue;
            }
            let over = news.standing.ended() || (self.until_rest && news.standing.is_at_rest());
            // The order is read before its timeline: the page may lack the entries that led to this
            // end.
            if over && shown >= news.standing.revision {
                return Ok(Followed::ToItsEnd(news.standing));
            }
            sleep(back_off.next_pause()).await;
        }
    }
}

/// Prints an order's timeline as it happens, until the order comes to rest, each line after the
/// label: several orders can be followed at once.
pub async fn follow(client: &Client, order_id: &str, label: &str) -> Result<Followed, CommandError> {
    let palette = Palette::of_stdout();
    let prefix = format!("{label:<LABEL_WIDTH$}");
    let prefix = palette.paint(colour_of(label), &prefix).into_owned();
    let following = Following { client, order_id, until_rest: true, patience: PATIENCE };
    following.run(|entry, first| output::print(&format!("{prefix}  {}\n", line(entry, first, palette)))).await
}

/// The same label has the same colour each time.
fn colour_of(label: &str) -> Tint {
    Tint::Label(label.bytes().fold(0, |sum, byte| sum + usize::from(byte)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::stub::Stub;
    use crate::timeline::tests::entry;

    fn answer(state: &str, revision: i64, entries: &[Entry], more: bool) -> Value {
        let edges: Vec<Value> = entries.iter().map(|entry| json!({ "node": entry })).collect();
        let end = entries.last().map(|entry| format!("c{}", entry.revision));
        json!({ "data": { "order": {
            "status": "Placed", "state": state, "revision": revision, "steps": [{ "status": "WAITING", "outcome": "backordered", "mode": "REQUEST" }],
            "timeline": { "edges": edges, "pageInfo": { "hasNextPage": more, "endCursor": end } },
        } } })
    }

    fn entries(revisions: std::ops::Range<i64>) -> Vec<Entry> {
        revisions.map(|revision| entry(revision, revision, "StepStarted", None, "something")).collect()
    }

    async fn followed(stub: &Stub, until_rest: bool) -> (Vec<i64>, Followed) {
        let mut shown = Vec::new();
        let client = stub.client();
        let following = Following { client: &client, order_id: "1", until_rest, patience: Duration::from_millis(300) };
        let end = following
            .run(|entry, _| {
                shown.push(entry.revision);
                Ok(())
            })
            .await;
        (shown, end.unwrap())
    }

    #[tokio::test]
    async fn entries_are_shown_once_and_in_order_from_the_moment_the_order_is_there() {
        let stub = Stub::start().await;
        stub.answers([
            json!({ "data": { "order": null } }),
            answer("RUNNING", 1, &entries(0..2), true),
            answer("RUNNING", 3, &entries(2..4), false),
            answer("WAITING", 3, &[], false),
            answer("COMPLETED", 4, &entries(4..5), false),
        ]);
        let (shown, end) = followed(&stub, false).await;
        assert_eq!(shown, [0, 1, 2, 3, 4]);
        assert!(matches!(end, Followed::ToItsEnd(standing) if standing.ended()));
        let after: Vec<Value> = stub.queries().iter().map(|query| query["variables"]["after"].clone()).collect();
        assert_eq!(after, [json!(null), json!(null), json!("c1"), json!("c3"), json!("c3")]);
    }

    #[tokio::test]
    async fn an_end_is_told_only_after_what_led_to_it() {
        let stub = Stub::start().await;
        stub.answers([answer("STUCK", 2, &entries(0..2), false), answer("STUCK", 2, &entries(2..3), false)]);
        assert_eq!(followed(&stub, false).await.0, [0, 1, 2]);
    }

    #[tokio::test]
    async fn an_order_at_rest_is_left_where_that_is_wanted() {
        let stub = Stub::start().await;
        stub.answers([answer("WAITING", 0, &entries(0..1), false)]);
        let (shown, end) = followed(&stub, true).await;
        assert!(shown == [0] && matches!(end, Followed::ToItsEnd(standing) if !standing.ended()));
    }

    #[tokio::test]
    async fn an_order_that_never_comes_is_given_up() {
        let stub = Stub::start().await;
        assert!(matches!(followed(&stub, true).await, (shown, Followed::NeverThere) if shown.is_empty()));
    }

    #[test]
    fn labels_keep_their_colour() {
        assert_eq!(colour_of("a"), colour_of("a"));
        assert_ne!(colour_of("a"), colour_of("b"));
    }
}
