//! Queries about orders, and their answers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::CommandError;
use crate::client::Client;

/// The number of orders in one query.
pub const BATCH: usize = 50;

/// The state of an order's execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// A step is running.
    Running,
    /// It waits for an answer.
    Waiting,
    /// Held by an operator.
    Paused,
    /// Completed steps are being undone.
    Compensating,
    /// Ended as planned.
    Completed,
    /// Ended, with its steps undone.
    Canceled,
    /// Needs an operator.
    Stuck,
    /// A state that this client does not know.
    #[serde(other)]
    Unknown,
}

impl State {
    /// As GraphQL spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Waiting => "WAITING",
            Self::Paused => "PAUSED",
            Self::Compensating => "COMPENSATING",
            Self::Completed => "COMPLETED",
            Self::Canceled => "CANCELED",
            Self::Stuck => "STUCK",
            Self::Unknown => "(unknown)",
        }
    }
}

/// The status and state of an order.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The business status.
    pub status: String,
    /// The execution.
    pub state: State,
    /// Why it needs an operator.
    #[serde(default)]
    pub stuck_reason: Option<String>,
    /// Index of its last event.
    pub revision: i64,
    /// The states of its steps, if requested.
    #[serde(default)]
    pub steps: Vec<StepStanding>,
}

/// The state of a step.
#[derive(Debug, Clone, Deserialize)]
pub struct StepStanding {
    status: String,
    outcome: Option<String>,
    mode: String,
}

impl StepStanding {
    /// Whether it may wait for long: for a person, or for a participant that gave an interim
    /// answer, such as "back-ordered".
    fn may_take_long(&self) -> bool {
        self.outcome.is_some() || self.mode == "AWAIT"
    }
}

const STANDING: &str = "status state stuckReason revision";

impl Standing {
    /// Whether the order has ended, or continues only if a person acts.
    pub fn ended(&self) -> bool {
        matches!(self.state, State::Completed | State::Canceled | State::Stuck)
    }

    /// Whether the order is at rest: it has ended, or it waits only for persons and for
    /// participants that gave an interim answer. An order that waits for a first answer is not.
    pub fn is_at_rest(&self) -> bool {
        let mut waiting = self.steps.iter().filter(|step| step.status == "WAITING").peekable();
        let at_rest = waiting.peek().is_some() && waiting.all(StepStanding::may_take_long);
        self.ended() || (self.state == State::Waiting && at_rest)
    }
}

/// The standing of each of these orders. `None`: the views do not have the order. Steps are queried
/// only if the answer depends on them.
pub async fn standings(client: &Client, ids: &[&str]) -> Result<Vec<Option<Standing>>, CommandError> {
    let mut standings = ask(client, ids, STANDING).await?;
    let unclear =
        |standing: &Option<Standing>| standing.as_ref().is_some_and(|standing| standing.state == State::Waiting);
    let waiting: Vec<usize> = (0..standings.len()).filter(|index| unclear(&standings[*index])).collect();
    if !waiting.is_empty() {
        let their_ids: Vec<&str> = waiting.iter().map(|index| ids[*index]).collect();
        let closer = ask(client, &their_ids, &format!("{STANDING} steps {{ status outcome mode }}")).await?;
        for (index, standing) in waiting.into_iter().zip(closer) {
            standings[index] = standing;
        }
    }
    Ok(standings)
}

async fn ask(client: &Client, ids: &[&str], fields: &str) -> Result<Vec<Option<Standing>>, CommandError> {
    let mut standings = Vec::with_capacity(ids.len());
    for batch in ids.chunks(BATCH) {
        let declared: Vec<String> = (0..batch.len()).map(|i| format!("$i{i}: ID!")).collect();
        let asked: Vec<String> = (0..batch.len()).map(|i| format!("o{i}: order(id: $i{i}) {{ ...S }}")).collect();
        let query =
            format!("query({}) {{ {} }} fragment S on Order {{ {fields} }}", declared.join(", "), asked.join(" "));
        let variables: Map<String, Value> =
            batch.iter().enumerate().map(|(i, id)| (format!("i{i}"), json!(id))).collect();
        let mut answer: Map<String, Value> = client.query(&query, &Value::Object(variables)).await?;
        for i in 0..batch.len() {
            let order = answer.remove(&format!("o{i}")).unwrap_or_default();
            standings.push(read(client, order)?);
        }
    }
    Ok(standings)
}

fn read<T: serde::de::DeserializeOwned>(client: &Client, value: Value) -> Result<T, CommandError> {
    serde_json::from_value(value)
        .map_err(|error| CommandError::Answer { url: format!("{}/graphql", client.base()), reason: error.to_string() })
}

/// Something that happened to an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Index of the event.
    pub revision: i64,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    pub recorded_at: DateTime<Utc>,
    /// The event as a sentence.
    pub summary: String,
    /// The step of the event.
    pub step: Option<String>,
    /// The person who did it.
    pub actor: Option<String>,
    /// Why that person did it.
    pub reason: Option<String>,
    /// The event that led to it, if requested.
    #[serde(default)]
    pub causation_id: Option<String>,
    /// The whole event, if requested.
    #[serde(default)]
    pub data: Value,
}

/// The fields of an entry in a whole timeline.
const WHOLE_ENTRIES: &str = "edges { node { revision type recordedAt summary step actor reason causationId data } }
    pageInfo { hasNextPage endCursor }";

const ENTRIES: &str =
    "edges { node { revision type recordedAt summary step actor reason } } pageInfo { hasNextPage endCursor }";

/// A page of a timeline.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    edges: Vec<Edge>,
    page_info: PageInfo,
}

#[derive(Debug, Deserialize)]
struct Edge {
    node: Entry,
}

/// Where a page ends.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

impl Page {
    /// Its entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.edges.iter().map(|edge| &edge.node)
    }

    /// The cursor of its last entry, if it has one.
    pub fn end_cursor(&self) -> Option<&str> {
        self.page_info.end_cursor.as_deref()
    }

    /// Whether there are more.
    pub fn has_next(&self) -> bool {
        self.page_info.has_next_page
    }
}

/// The standing of an order, and the entries of its timeline after a cursor.
#[derive(Debug, Deserialize)]
pub struct News {
    /// Its standing.
    #[serde(flatten)]
    pub standing: Standing,
    /// The entries.
    pub timeline: Page,
}

/// The news about an order. `None`: the order does not exist, or not yet.
pub async fn news(client: &Client, id: &str, after: Option<&str>) -> Result<Option<News>, CommandError> {
    let query = format!(
        "query($id: ID!, $after: String) {{ order(id: $id) {{
            {STANDING} steps {{ status outcome mode }} timeline(first: 100, after: $after) {{ {ENTRIES} }}
        }} }}"
    );
    order(client, &query, json!({ "id": id, "after": after })).await
}

/// A page of an order's timeline, as JSON. `None`: the order does not exist.
pub async fn timeline_page(client: &Client, id: &str, after: &str) -> Result<Option<Value>, CommandError> {
    let query = format!(
        "query($id: ID!, $after: String) {{ order(id: $id) {{ timeline(first: 200, after: $after) {{ {WHOLE_ENTRIES} }} }} }}"
    );
    let order: Option<Value> = order(client, &query, json!({ "id": id, "after": after })).await?;
    Ok(order.map(|mut order| order["timeline"].take()))
}

/// An event of an order that could not be projected.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedEvent {
    /// Index of the event.
    pub revision: i64,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The reason.
    pub reason: String,
}

/// Everything that is shown of an order.
#[derive(Debug)]
pub struct Everything {
    /// The order as JSON, with the first page of its timeline. `None`: the views do not have it.
    pub order: Option<Value>,
    /// Its last revision in the log. `None`: the log does not have it.
    pub in_log: Option<i64>,
    /// Why the last revision is not known.
    pub log_error: Option<CommandError>,
    /// Its events that could not be projected.
    pub parked: Vec<ParkedEvent>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EverythingRead {
    order: Option<Value>,
    #[serde(default)]
    log: Option<InLog>,
    #[serde(default)]
    parked_events: Option<Vec<ParkedEvent>>,
}

#[derive(Debug, Deserialize)]
struct InLog {
    revision: i64,
}

/// Queries everything that is shown of an order at once. Only the last revision needs the log.
pub async fn everything(client: &Client, id: &str) -> Result<Everything, CommandError> {
    let query = format!(
        "query($id: ID!) {{
            order(id: $id) {{
                id {STANDING} workflow {{ name version }} customer {{ id name keyMissing erasedAt }} currency total
                placedAt updatedAt endedAt result resultError
                steps {{ id participant action mode status outcome attempts lastError startedAt endedAt nextAttemptAt }}
                timeline(first: 200) {{ {WHOLE_ENTRIES} }}
            }}
            log: order(id: $id, asOf: \"9999-12-31T23:59:59Z\") {{ revision }}
            parkedEvents(order: $id) {{ revision type reason }}
        }}"
    );
    let (read, log_error) = client.query_without(Some("log"), &query, &json!({ "id": id })).await?;
    let EverythingRead { order, log, parked_events } = read;
    let (in_log, parked) = (log.map(|log| log.revision), parked_events.unwrap_or_default());
    Ok(Everything { order, in_log, log_error, parked })
}

async fn order<T: serde::de::DeserializeOwned>(
    client: &Client,
    query: &str,
    variables: Value,
) -> Result<Option<T>, CommandError> {
    let mut answer: Map<String, Value> = client.query(query, &variables).await?;
    read(client, answer.remove("order").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub::Stub;

    fn standing(state: &str, steps: &[(&str, Option<&str>)]) -> Standing {
        let steps: Vec<Value> = steps
            .iter()
            .map(|(status, outcome)| json!({ "status": status, "outcome": outcome, "mode": "REQUEST" }))
            .collect();
        serde_json::from_value(json!({ "status": "Placed", "state": state, "revision": 3, "steps": steps })).unwrap()
    }

    #[test]
    fn an_order_rests_when_it_has_ended_or_everybody_has_answered_for_now() {
        assert!(standing("COMPLETED", &[]).is_at_rest());
        assert!(standing("CANCELED", &[]).is_at_rest());
        assert!(standing("STUCK", &[]).is_at_rest());
        assert!(standing("WAITING", &[("COMPLETED", Some("done")), ("WAITING", Some("backordered"))]).is_at_rest());
    }

    #[test]
    fn an_order_that_waits_for_a_person_rests() {
        let mut waiting = standing("WAITING", &[("WAITING", None)]);
        "AWAIT".clone_into(&mut waiting.steps[0].mode);
        assert!(waiting.is_at_rest());
    }

    #[test]
    fn an_order_that_waits_for_a_first_answer_does_not_rest() {
        assert!(!standing("WAITING", &[("WAITING", None)]).is_at_rest());
        assert!(!standing("WAITING", &[("WAITING", Some("backordered")), ("WAITING", None)]).is_at_rest());
        assert!(!standing("WAITING", &[]).is_at_rest());
        for state in ["RUNNING", "PAUSED", "COMPENSATING", "DANCING"] {
            assert!(!standing(state, &[("WAITING", Some("backordered"))]).is_at_rest(), "{state}");
        }
    }

    #[tokio::test]
    async fn many_orders_are_asked_about_in_few_queries() {
        let stub = Stub::start().await;
        stub.order("order-7", json!({ "status": "Shipped", "state": "COMPLETED", "revision": 9 }));
        let ids: Vec<String> = (0..120).map(|index| format!("order-{index}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let standings = standings(&stub.client(), &ids).await.unwrap();
        assert_eq!(standings.iter().filter(|standing| standing.is_some()).count(), 1);
        assert_eq!(standings[7].as_ref().unwrap().status, "Shipped");
        assert_eq!(stub.queries().len(), 3);
    }

    #[tokio::test]
    async fn steps_are_asked_for_only_where_an_order_waits() {
        let stub = Stub::start().await;
        let waits = json!({ "status": "BackOrdered", "state": "WAITING", "revision": 9,
            "steps": [{ "status": "WAITING", "outcome": "backordered", "mode": "REQUEST" }] });
        stub.order("b", waits);
        let standings = standings(&stub.client(), &["a", "b"]).await.unwrap();
        assert!(standings[0].is_none() && standings[1].as_ref().unwrap().is_at_rest());
        let queries = stub.queries();
        assert!(!queries[0]["query"].as_str().unwrap().contains("steps"));
        assert_eq!(queries[1]["variables"], json!({ "i0": "b" }));
    }
}
