//! Carries out a batch. After an interruption, the batch resumes after the last order whose result
//! was received.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::action::OperatorAction;
use super::checkpoint::Checkpoint;
use super::tally::{Tally, Waiting};
use crate::CommandError;
use crate::client::{Client, Line, Lines, Verdict};
use crate::retry;
use command_line::output;
use command_line::progress::{self, Progress};

/// The most orders that one request names.
const MAX_NAMED: usize = 500;
/// The statuses of a server that is overloaded, or cannot record anything now.
const LATER: u16 = 503;

/// The action of a batch.
#[derive(Debug, Clone)]
pub struct Asked {
    pub action: OperatorAction,
    /// The fields of the request, without those that select orders.
    pub fields: Map<String, Value>,
    /// Whether each order's line is printed.
    pub json: bool,
}

/// A running batch.
pub struct Job<'a> {
    client: &'a Client,
    asked: &'a Asked,
    checkpoint: Checkpoint,
    tally: Tally,
    progress: Option<Progress<Counted>>,
    /// The number of results so far.
    told: usize,
}

/// The number of results so far.
struct Counted {
    total: u64,
    told: u64,
}

impl progress::Counts for Counted {
    fn total(&self) -> Option<u64> {
        Some(self.total)
    }

    fn done(&self) -> u64 {
        self.told
    }

    fn in_words(&self) -> String {
        format!("{} of {} orders", self.told, self.total)
    }
}

/// How long a batch without progress is retried.
struct Stamina {
    since: Instant,
    failures: u32,
}

impl Stamina {
    fn fresh() -> Self {
        Self { since: Instant::now(), failures: 0 }
    }

    /// Pauses, or gives up with the error of the interruption.
    async fn rest(&mut self, client: &Client, progressed: bool, broken: CommandError) -> Result<(), CommandError> {
        if progressed {
            *self = Self::fresh();
        }
        self.failures += 1;
        let delay = retry::delay(self.failures, None, rand::random());
        if self.since.elapsed() + delay > client.patience() {
            return Err(broken);
        }
        tokio::time::sleep(delay).await;
        Ok(())
    }
}

impl<'a> Job<'a> {
    /// A batch that starts at the checkpoint.
    pub fn new(client: &'a Client, asked: &'a Asked, checkpoint: Checkpoint) -> Self {
        Self { client, asked, checkpoint, tally: Tally::of(asked.action), progress: None, told: 0 }
    }

    /// Carries out the batch for the orders that match the filter.
    pub async fn matching(&mut self, filter: Map<String, Value>) -> Result<(), CommandError> {
        let mut stamina = Stamina::fresh();
        loop {
            let mut which = match &self.checkpoint.place.filter {
                Some(filter) => Map::from_iter([("where".to_owned(), filter.clone())]),
                None => filter.clone(),
            };
            which.extend(self.checkpoint.place.after.clone().map(|after| ("after".to_owned(), json!(after))));
            let before = self.told;
            let broken = self.request(which).await;
            self.checkpoint.write()?;
            let Some(broken) = broken? else { break };
            stamina.rest(self.client, self.told > before, broken).await?;
        }
        self.once_more().await?;
        self.checkpoint.remove()
    }

    /// Carries out the batch for these orders.
    pub async fn named(&mut self, ids: &[String]) -> Result<(), CommandError> {
        self.begin(ids.len() as u64);
        self.each(ids).await?;
        self.once_more().await
    }

    /// The results so far.
    pub fn end(self) -> Tally {
        if let Some(progress) = &self.progress {
            progress.finish();
        }
        self.tally
    }

    async fn each(&mut self, ids: &[String]) -> Result<(), CommandError> {
        let mut stamina = Stamina::fresh();
        for chunk in ids.chunks(MAX_NAMED) {
            let mut left = chunk;
            loop {
                let before = self.told;
                let broken = self.request(Map::from_iter([("orders".to_owned(), json!(left))])).await?;
                // The server returns results in the order of the request.
                let told = self.told - before;
                left = left.get(told..).unwrap_or_default();
                match broken {
                    Some(broken) if !left.is_empty() => stamina.rest(self.client, told > 0, broken).await?,
                    _ => break,
                }
            }
        }
        Ok(())
    }

    /// Retries the orders that the overloaded server refused. Those that it refuses again count as
    /// not decided.
    async fn once_more(&mut self) -> Result<(), CommandError> {
        let mut stamina = Stamina::fresh();
        while !self.checkpoint.place.later.is_empty() {
            let ids = std::mem::take(&mut self.checkpoint.place.later);
            self.each(&ids).await?;
            let left = self.checkpoint.place.later.len();
            let detail = format!("the server had no room for {left} orders");
            let broken = CommandError::BrokenOff { why: detail.clone() };
            if left > 0 && stamina.rest(self.client, left < ids.len(), broken).await.is_err() {
                for order_id in std::mem::take(&mut self.checkpoint.place.later) {
                    let problem = crate::client::Problem { detail: detail.clone(), errors: Vec::new() };
                    self.tally.add(&Verdict { order_id, status: LATER, state: None, request: None, problem });
                }
            }
        }
        Ok(())
    }

    /// Sends a request about these orders, and records the results. Returns the error of an
    /// interruption.
    async fn request(&mut self, which: Map<String, Value>) -> Result<Option<CommandError>, CommandError> {
        let mut batch = self.asked.fields.clone();
        batch.extend(which);
        let lines = self.client.batch(&Value::Object(batch)).await?;
        match self.read(lines).await {
            Err(broken @ CommandError::Unreachable { .. }) => Ok(Some(broken)),
            other => other,
        }
    }

    async fn read(&mut self, mut lines: Lines) -> Result<Option<CommandError>, CommandError> {
        while let Some((text, line)) = lines.next().await? {
            match line {
                Line::Beginning { matches, before } => {
                    self.begin(matches);
                    self.pin(before);
                }
                Line::Asked { request, matches, expires_at } => {
                    if self.asked.json {
                        output::print_json(&format!("{text}\n"))?;
                    }
                    self.told += usize::try_from(matches).unwrap_or(usize::MAX);
                    self.tally.wait(Waiting { request, matches, expires_at });
                    return Ok(None);
                }
                Line::Order(verdict) => self.take(&text, verdict)?,
                Line::Done { .. } => return Ok(None),
                Line::Stopped { stopped } => return Ok(Some(CommandError::BrokenOff { why: stopped })),
            }
        }
        Ok(Some(CommandError::BrokenOff { why: "the answer ended before its end".to_owned() }))
    }

    /// Starts to show the progress, once the number of orders is known.
    fn begin(&mut self, total: u64) {
        self.progress.get_or_insert_with(|| Progress::start(Counted { total, told: 0 }));
    }

    /// A resumed batch is limited to the orders that existed at its beginning.
    fn pin(&mut self, before: String) {
        if self.checkpoint.place.filter.is_some() {
            return;
        }
        let mut filter = self.checkpoint.place.asked["where"].clone();
        if !filter.is_object() {
            filter = json!({});
        }
        if !filter["placedAt"].is_object() {
            filter["placedAt"] = json!({});
        }
        filter["placedAt"]["to"] = Value::String(before);
        self.checkpoint.place.filter = Some(filter);
    }

    fn take(&mut self, text: &str, verdict: Verdict) -> Result<(), CommandError> {
        self.told += 1;
        self.checkpoint.place.after = Some(verdict.order_id.clone());
        if verdict.status == LATER {
            self.checkpoint.place.later.push(verdict.order_id);
            return self.checkpoint.told();
        }
        self.tally.add(&verdict);
        if let Some(progress) = &self.progress {
            progress.change(|counted| counted.told += 1);
        }
        if self.asked.json {
            output::print_json(&format!("{text}\n"))?;
        }
        self.checkpoint.told()
    }
}

/// How many orders match.
pub async fn count(client: &Client, asked: &Asked, which: Map<String, Value>) -> Result<u64, CommandError> {
    let mut batch = asked.fields.clone();
    batch.extend(which);
    batch.insert("dryRun".to_owned(), json!(true));
    let mut lines = client.batch(&Value::Object(batch)).await?;
    match lines.next().await? {
        Some((_, Line::Beginning { matches, .. })) => Ok(matches),
        _ => Err(CommandError::BrokenOff { why: "the answer ended before its end".to_owned() }),
    }
}
