//! Participants with a memory: what they did under a key, they do not do again; what was undone
//! before it was done, they never do. While they work on a request, they say so (409). Beyond that
//! they do what chance has them do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::ids::{OrderId, StepId};
use domain::order::{Direction, Mode};
use domain::workflow::Step;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::deployment::{Absence, Deployment};
use super::dice::Dice;
use super::faults::Fault;
use super::letters::{Letter, post};
use super::members::Members;
use super::record::Effect;
use super::response::Response;
use super::simulation::Simulation;
use super::sizes;
use crate::lock::lock;
use crate::participants::ActionRequest;

/// All participants of a run.
#[derive(Debug, Clone)]
pub struct Services {
    simulation: Simulation,
    /// Where later answers go.
    members: Members,
    deployment: Deployment,
    absence: Absence,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    /// The answer under each key, which is repeated, with its request.
    said: BTreeMap<String, (ActionRequest, Response)>,
    /// The attempts that came, by their keys, and those that a mistake of the deployment turned
    /// away.
    came: BTreeSet<(String, u32)>,
    turned_away: BTreeSet<(String, u32)>,
    /// What is being worked on, by its key.
    running: BTreeMap<String, ActionRequest>,
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
    response: Response,
    /// Outcomes, or a late "no".
    letters: Vec<Option<String>>,
}

/// Which attempt is being worked on when a request arrives.
enum Busy {
    /// The same attempt, which came twice.
    WithItself,
    /// Another attempt; for an undo, an attempt at what it undoes.
    WithAnother,
}

impl Services {
    pub fn new(simulation: Simulation, members: Members) -> Self {
        let deployment = Deployment::new(&simulation.dice, simulation.now());
        // The absence has its own dice. A draw from the run's dice would change all later draws of
        // a seed.
        let absence = Absence::new(&Dice::new(!simulation.seed), simulation.now());
        Self { simulation, members, deployment, absence, memory: Arc::default() }
    }

    /// Whether no participant can be reached for this order now.
    pub fn are_away(&self, order: &OrderId) -> bool {
        self.absence.is_now(&self.simulation, order)
    }

    /// Serves one request; `None`: there is no answer.
    pub async fn serve(self, ask: ActionRequest, key: String) -> Option<Response> {
        let simulation = &self.simulation;
        // Copies of one attempt share its fate: once one was turned away, no other arrives.
        let attempt = (key.clone(), ask.attempt.number);
        let is_a_copy = !lock(&self.memory).came.insert(attempt.clone());
        if let Some(response) = self.deployment.turns_away(simulation) {
            if is_a_copy {
                return None;
            }
            lock(&self.memory).turned_away.insert(attempt);
            return Some(response);
        }
        if is_a_copy && lock(&self.memory).turned_away.contains(&attempt) {
            return None;
        }
        if let Some(response) = self.turned_away() {
            return Some(response);
        }
        if let Some((first, response)) = lock(&self.memory).said.get(&key).cloned() {
            self.must_be_the_same(&first, &ask, &key);
            return Some(response);
        }
        match self.busy(&ask, &key) {
            Some(Busy::WithItself) => return None,
            Some(Busy::WithAnother) => {
                simulation.note(Fault::StillRunning);
                return Some(Response::still_running());
            }
            None => {}
        }
        lock(&self.memory).running.insert(key.clone(), ask.clone());
        let response = self.work(&ask, &key).await;
        lock(&self.memory).running.remove(&key);
        response
    }

    /// Works on a request, sometimes longer than the caller waits.
    async fn work(&self, ask: &ActionRequest, key: &str) -> Option<Response> {
        let simulation = &self.simulation;
        if simulation.dice.hits(300) {
            let left = (ask.attempt.deadline - simulation.now()).to_std().unwrap_or_default();
            sleep(simulation.dice.up_to(left * *simulation.dice.pick(&[1, 1, 3]) + Duration::from_secs(1))).await;
        }
        let heard = !simulation.happens(Fault::NoAnswer);
        if !heard && simulation.dice.hits(500) {
            return None;
        }
        let response = self.handle(ask, key);
        simulation.tell(format_args!("the participant answers {key} #{}: {response:?}", ask.attempt.number));
        heard.then(|| Deployment::distorts(simulation, response))
    }

    /// The attempt that stands in the way. An undo is sometimes handled before what it undoes is
    /// done, which then never will be.
    fn busy(&self, ask: &ActionRequest, key: &str) -> Option<Busy> {
        let memory = lock(&self.memory);
        if let Some(running) = memory.running.get(key) {
            let is_same = running.attempt.number == ask.attempt.number;
            return Some(if is_same { Busy::WithItself } else { Busy::WithAnother });
        }
        let does_it = |running: &ActionRequest| {
            running.order_id == ask.order_id
                && running.attempt.step == ask.attempt.step
                && running.attempt.direction == Direction::Do
        };
        let undoes = ask.attempt.direction == Direction::Undo && memory.running.values().any(does_it);
        (undoes && self.simulation.dice.hits(700)).then_some(Busy::WithAnother)
    }

    /// The participant has no time.
    fn turned_away(&self) -> Option<Response> {
        let simulation = &self.simulation;
        if simulation.happens(Fault::ServerError) {
            return Some(Response::error(503, "answered 503".to_owned()));
        }
        if simulation.happens(Fault::RetryAfter) {
            let retry_after = Some(simulation.dice.up_to(Duration::from_mins(5)));
            return Some(Response { retry_after, ..Response::error(429, "answered 429".to_owned()) });
        }
        None
    }

    fn handle(&self, ask: &ActionRequest, key: &str) -> Response {
        let Some(step) = self.simulation.record(|record| record.step(&ask.order_id, &ask.attempt.step)) else {
            return Response::error(422, "answered 422: no such thing".to_owned());
        };
        let intent = match ask.attempt.direction {
            Direction::Do => self.asked_to_act(&step, self.standing(ask)),
            Direction::Undo => self.asked_to_undo(ask, key, &step),
        };
        self.carry_out(ask, key, &step, &intent);
        lock(&self.memory).said.insert(key.to_owned(), (ask.clone(), intent.response.clone()));
        intent.response
    }

    fn must_be_the_same(&self, first: &ActionRequest, ask: &ActionRequest, key: &str) {
        let without_key = self.simulation.record(|record| record.lost_keys.contains_key(&ask.order_id));
        if first.action != ask.action || (first.input() != ask.input() && !without_key) {
            let how = format!("{key} was used for {first:?}, and then for {ask:?}");
            self.simulation.wrong("one_key_one_request", how);
        }
    }

    fn carry_out(&self, ask: &ActionRequest, key: &str, step: &Step, intent: &Intent) {
        if let Some(standing) = intent.leaves {
            self.stands(ask, standing);
        }
        if intent.acts {
            self.acts(ask);
        }
        let letter = |(number, outcome): (usize, &Option<String>)| Letter {
            from: Some(ask.participant.clone()),
            order_id: ask.order_id.clone(),
            step: step.id.clone(),
            direction: ask.attempt.direction,
            data: sizes::data(&self.simulation, json!(number)),
            outcome: outcome.clone(),
            key: format!("{key}/{number}"),
        };
        let letters: Vec<Letter> = intent.letters.iter().enumerate().map(letter).collect();
        if !letters.is_empty() {
            tokio::spawn(post(self.simulation.clone(), self.members.clone(), letters, step.answer_timeout));
        }
    }

    fn stands(&self, ask: &ActionRequest, standing: Standing) {
        lock(&self.memory).standing.insert((ask.order_id.clone(), ask.attempt.step.clone()), standing);
    }

    fn acts(&self, ask: &ActionRequest) {
        let (order_id, step, direction) = (ask.order_id.clone(), ask.attempt.step.clone(), ask.attempt.direction);
        let effect = Effect { order_id, step, direction, at: self.simulation.now() };
        self.simulation.record(|record| record.effects.push(effect));
    }

    fn asked_to_act(&self, step: &Step, standing: Option<Standing>) -> Intent {
        let simulation = &self.simulation;
        if standing == Some(Standing::Void) {
            return Intent::nothing(Response::error(410, "answered 410: undone before".to_owned()));
        }
        if simulation.happens(Fault::Refusal) {
            return Intent::nothing(self.refuses("no"));
        }
        if step.mode == Mode::Call {
            if simulation.happens(Fault::WrongAcceptance) {
                return Intent::act(Response::accepted(), Vec::new());
            }
            if !step.outcomes.is_empty() && simulation.happens(Fault::UnknownOutcome) {
                return Intent::act(Response::done(Some("unheard-of".to_owned()), Value::Null), Vec::new());
            }
        } else if simulation.happens(Fault::NeverAnswers) {
            return Intent::act(Response::accepted(), Vec::new());
        } else if simulation.happens(Fault::LateRefusal) {
            return Intent { letters: vec![None], ..Intent::nothing(Response::accepted()) };
        }
        let outcome = self.outcome(step, false);
        if outcome.as_ref().is_some_and(|outcome| step.compensate_on.contains(outcome)) {
            // Its very answer is "no".
            return match step.mode {
                Mode::Request => Intent { letters: vec![outcome], ..Intent::nothing(Response::accepted()) },
                _ => Intent::nothing(self.said(outcome)),
            };
        }
        if step.mode == Mode::Call || simulation.dice.hits(200) {
            return Intent::act(self.said(outcome), Vec::new());
        }
        let interim = self.outcome(step, true).filter(|_| simulation.dice.hits(500));
        let last = outcome.unwrap_or_else(|| "done".to_owned());
        Intent::act(Response::accepted(), interim.into_iter().chain([last]).map(Some).collect())
    }

    /// Refuses: with a status that means so, or with a problem that only a participant sends.
    fn refuses(&self, why: &str) -> Response {
        let (status, is_problem) = *self.simulation.dice.pick(&[
            (400, false),
            (402, false),
            (409, false),
            (422, false),
            (422, true),
            (403, true),
        ]);
        let error = sizes::text(&self.simulation.dice, &format!("answered {status}: {why}"));
        Response { is_problem, ..Response::error(status, error) }
    }

    fn asked_to_undo(&self, ask: &ActionRequest, key: &str, step: &Step) -> Intent {
        let simulation = &self.simulation;
        if simulation.dice.hits(simulation.faults.rate(Fault::Refusal) / 4) {
            simulation.note(Fault::Refusal);
            return Intent::nothing(self.refuses("it cannot be undone"));
        }
        let standing = self.standing(ask);
        if simulation.happens(Fault::UndoAccepted) {
            // What was not done by then never will be.
            let leaves = standing.is_none().then_some(Standing::Void);
            tokio::spawn(self.clone().undo_later(ask.clone(), key.to_owned(), step.clone()));
            return Intent { leaves, ..Intent::nothing(Response::accepted()) };
        }
        Intent {
            acts: standing == Some(Standing::Done),
            leaves: Some(Standing::Void),
            response: self.said(None),
            letters: Vec::new(),
        }
    }

    /// Undoes what it has accepted to undo, in time or too late, and says so; some never say
    /// anything.
    async fn undo_later(self, ask: ActionRequest, key: String, step: Step) {
        let simulation = &self.simulation;
        let longest = *simulation.dice.pick(&[Duration::from_secs(10), step.answer_timeout + Duration::from_mins(1)]);
        sleep(simulation.dice.up_to(longest)).await;
        let refuses = simulation.happens(Fault::LateUndoRefusal);
        if !refuses && self.standing(&ask) == Some(Standing::Done) {
            self.acts(&ask);
            self.stands(&ask, Standing::Void);
        }
        let response = if refuses { self.refuses("it cannot be undone") } else { self.said(None) };
        lock(&self.memory).said.insert(key.clone(), (ask.clone(), response));
        if simulation.happens(Fault::NeverAnswers) {
            return;
        }
        let letter = Letter {
            from: Some(ask.participant),
            order_id: ask.order_id,
            step: step.id,
            direction: Direction::Undo,
            outcome: (!refuses).then(|| "undone".to_owned()),
            data: sizes::data(simulation, json!("undone later")),
            key: format!("{key}/later"),
        };
        post(simulation.clone(), self.members.clone(), vec![letter], Duration::ZERO).await;
    }

    fn said(&self, outcome: Option<String>) -> Response {
        Response::done(outcome, sizes::data(&self.simulation, json!("at once")))
    }

    /// One of the answers that a step knows, interim ones or those that settle it.
    fn outcome(&self, step: &Step, interim: bool) -> Option<String> {
        let fitting: Vec<&String> = step.outcomes.iter().filter(|o| step.interim.contains_key(*o) == interim).collect();
        (!fitting.is_empty()).then(|| (*self.simulation.dice.pick(&fitting)).clone())
    }

    fn standing(&self, ask: &ActionRequest) -> Option<Standing> {
        lock(&self.memory).standing.get(&(ask.order_id.clone(), ask.attempt.step.clone())).copied()
    }
}

impl Intent {
    fn nothing(response: Response) -> Self {
        Self { acts: false, leaves: None, response, letters: Vec::new() }
    }

    fn act(response: Response, letters: Vec<Option<String>>) -> Self {
        Self { acts: true, leaves: Some(Standing::Done), response, letters }
    }
}
