//! Participants with a memory: what they did under a key, they do not do again; what was undone before it was done, they
//! never do. Beyond that they do what chance has them do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::ids::{OrderId, StepId};
use domain::order::{Direction, Mode, Reply};
use domain::testing::{answered, refused, unclear};
use domain::workflow::Step;
use serde_json::json;
use tokio::time::sleep;

use super::faults::Fault;
use super::letters::{Letter, post};
use super::members::Members;
use super::record::Deed;
use super::simulation::Simulation;
use super::sizes;
use crate::orchestrator::lock;
use crate::participants::Ask;

/// All participants of a run.
#[derive(Debug, Clone)]
pub struct Services {
    simulation: Simulation,
    /// Where later answers go.
    members: Members,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    /// What was said under which key: the same is said again. With it, what was asked.
    said: BTreeMap<String, (Ask, Reply)>,
    /// What stands, and what never will again.
    standing: BTreeMap<(OrderId, StepId), Standing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Done,
    Void,
}

/// What a participant has in mind with a request that is new to it.
struct Intent {
    acts: bool,
    leaves: Option<Standing>,
    reply: Reply,
    /// Outcomes, or a late "no".
    letters: Vec<Option<String>>,
}

impl Services {
    pub fn new(simulation: Simulation, members: Members) -> Self {
        Self { simulation, members, memory: Arc::default() }
    }

    /// Serves one request; `None`: there is no answer.
    pub async fn serve(self, ask: Ask, key: String) -> Option<Reply> {
        let simulation = &self.simulation;
        if let Some(reply) = self.turned_away() {
            return Some(reply);
        }
        if simulation.dice.hits(300) {
            // Sometimes longer than anybody waits.
            let left = (ask.attempt.deadline - simulation.now()).to_std().unwrap_or_default();
            sleep(simulation.dice.up_to(left + Duration::from_secs(1))).await;
        }
        let heard = !simulation.happens(Fault::NoAnswer);
        if !heard && simulation.dice.hits(500) {
            return None;
        }
        let reply = self.handle(&ask, &key);
        simulation.tell(format_args!("the participant answers {key} #{}: {reply:?}", ask.attempt.number));
        heard.then_some(reply)
    }

    /// The participant has no time.
    fn turned_away(&self) -> Option<Reply> {
        let simulation = &self.simulation;
        if simulation.happens(Fault::ServerError) {
            return Some(unclear("answered 503"));
        }
        if simulation.happens(Fault::RetryAfter) {
            let retry_after = Some(simulation.dice.up_to(Duration::from_mins(5)));
            return Some(Reply::Unclear { error: "answered 429".to_owned(), retry_after });
        }
        None
    }

    fn handle(&self, ask: &Ask, key: &str) -> Reply {
        let said = lock(&self.memory).said.get(key).cloned();
        if let Some((first, reply)) = said {
            if (&first.action, first.input()) != (&ask.action, ask.input()) {
                let how = format!("{key} was used for {first:?}, and then for {ask:?}");
                self.simulation.wrong("one_key_one_request", how);
            }
            return reply;
        }
        let Some(step) = self.step(ask) else { return refused("answered 422: no such thing") };
        let intent = match ask.attempt.direction {
            Direction::Do => self.asked_to_act(&step, self.standing(ask)),
            Direction::Undo => self.asked_to_undo(self.standing(ask)),
        };
        self.carry_out(ask, key, &step, &intent);
        lock(&self.memory).said.insert(key.to_owned(), (ask.clone(), intent.reply.clone()));
        intent.reply
    }

    fn carry_out(&self, ask: &Ask, key: &str, step: &Step, intent: &Intent) {
        let (order_id, step_id, direction) = (ask.order_id.clone(), ask.attempt.step.clone(), ask.attempt.direction);
        if let Some(standing) = intent.leaves {
            lock(&self.memory).standing.insert((order_id.clone(), step_id.clone()), standing);
        }
        if intent.acts {
            let deed = Deed { order_id, step: step_id, direction, at: self.simulation.now() };
            self.simulation.record(|record| record.deeds.push(deed));
        }
        let letter = |(number, outcome): (usize, &Option<String>)| Letter {
            order_id: ask.order_id.clone(),
            step: step.id.clone(),
            data: sizes::data(&self.simulation.dice, json!(number)),
            outcome: outcome.clone(),
            key: format!("{key}/{number}"),
        };
        let letters: Vec<Letter> = intent.letters.iter().enumerate().map(letter).collect();
        if !letters.is_empty() {
            tokio::spawn(post(self.simulation.clone(), self.members.clone(), letters, step.answer_timeout));
        }
    }

    fn step(&self, ask: &Ask) -> Option<Step> {
        let definition = self.simulation.record(|record| record.definition(&ask.order_id))?;
        definition.step(&ask.attempt.step).cloned()
    }

    fn asked_to_act(&self, step: &Step, standing: Option<Standing>) -> Intent {
        let simulation = &self.simulation;
        if standing == Some(Standing::Void) {
            return Intent::nothing(refused("answered 409: undone before"));
        }
        if simulation.happens(Fault::Refusal) {
            return Intent::nothing(refused(&sizes::text(&simulation.dice, "answered 422: no")));
        }
        if step.mode == Mode::Call {
            if simulation.happens(Fault::WrongAcceptance) {
                return Intent::act(Reply::Accepted, Vec::new());
            }
            if !step.outcomes.is_empty() && simulation.happens(Fault::UnknownOutcome) {
                return Intent::act(answered("unheard-of"), Vec::new());
            }
        } else if simulation.happens(Fault::NeverAnswers) {
            return Intent::act(Reply::Accepted, Vec::new());
        } else if simulation.happens(Fault::LateRefusal) {
            return Intent { letters: vec![None], ..Intent::nothing(Reply::Accepted) };
        }
        let outcome = self.outcome(step, false);
        if outcome.as_ref().is_some_and(|outcome| step.compensate_on.contains(outcome)) {
            // Its very answer is "no".
            return match step.mode {
                Mode::Request => Intent { letters: vec![outcome], ..Intent::nothing(Reply::Accepted) },
                _ => Intent::nothing(self.said(outcome)),
            };
        }
        if step.mode == Mode::Call || simulation.dice.hits(200) {
            return Intent::act(self.said(outcome), Vec::new());
        }
        let interim = self.outcome(step, true).filter(|_| simulation.dice.hits(500));
        let last = outcome.unwrap_or_else(|| "done".to_owned());
        Intent::act(Reply::Accepted, interim.into_iter().chain([last]).map(Some).collect())
    }

    fn asked_to_undo(&self, standing: Option<Standing>) -> Intent {
        if self.simulation.dice.hits(self.simulation.faults.rate(Fault::Refusal) / 4) {
            self.simulation.note(Fault::Refusal);
            let error = sizes::text(&self.simulation.dice, "answered 409: it cannot be undone");
            return Intent::nothing(refused(&error));
        }
        Intent {
            acts: standing == Some(Standing::Done),
            leaves: Some(Standing::Void),
            reply: self.said(None),
            letters: Vec::new(),
        }
    }

    fn said(&self, outcome: Option<String>) -> Reply {
        Reply::Done { outcome, data: sizes::data(&self.simulation.dice, json!("at once")) }
    }

    /// One of the answers that a step knows, interim ones or those that settle it.
    fn outcome(&self, step: &Step, interim: bool) -> Option<String> {
        let fitting: Vec<&String> = step.outcomes.iter().filter(|o| step.interim.contains_key(*o) == interim).collect();
        (!fitting.is_empty()).then(|| (*self.simulation.dice.pick(&fitting)).clone())
    }

    fn standing(&self, ask: &Ask) -> Option<Standing> {
        lock(&self.memory).standing.get(&(ask.order_id.clone(), ask.attempt.step.clone())).copied()
    }
}

impl Intent {
    fn nothing(reply: Reply) -> Self {
        Self { acts: false, leaves: None, reply, letters: Vec::new() }
    }

    fn act(reply: Reply, letters: Vec<Option<String>>) -> Self {
        Self { acts: true, leaves: Some(Standing::Done), reply, letters }
    }
}
