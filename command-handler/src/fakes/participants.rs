//! Participants that answer as a test has it, and hold the orchestrator to "append first, perform
//! second".

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use domain::ids::{OrderId, StepId};
use domain::order::{Direction, Event, Mode, Reply, StepStarted};
use domain::testing::done;
use domain::wire;
use domain::workflow::Participant;

use super::gate::Gate;
use super::life::Life;
use super::log::SimulatedLog;
use crate::lock::lock;
use crate::participants::{ActionRequest, NotSent, Participants};

/// What a participant says when it is asked.
#[derive(Debug, Clone)]
pub enum Line {
    /// This, at once.
    Says(Reply),
    /// This, once the gate opens.
    Hangs(Gate, Reply),
}

/// All participants of a world, as one instance reaches them. Without a line, a call is answered
/// "done" and a request "accepted".
#[derive(Debug, Clone)]
pub struct SimulatedParticipants {
    stage: Arc<Mutex<Stage>>,
    log: SimulatedLog,
    life: Life,
}

/// An ask that was made.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `participant.action`.
    pub action: String,
    /// As the participant got it.
    pub ask: ActionRequest,
}

#[derive(Debug, Default)]
struct Stage {
    lines: HashMap<String, VecDeque<Line>>,
    asked: Vec<Asked>,
    answered: Vec<String>,
    attempts: HashSet<(OrderId, StepId, Direction, u32)>,
    faults: Vec<String>,
    /// How the next attempts at an action come by their turns; without a line, at once.
    turns: HashMap<String, VecDeque<Turn>>,
    /// What participants were granted of the drivers, each time they were bounded.
    shares: Vec<usize>,
    full: bool,
}

/// How an attempt comes by its turn.
#[derive(Debug, Clone)]
enum Turn {
    /// Once the gate opens.
    Comes(Gate),
    Never,
}

impl SimulatedParticipants {
    pub fn new(log: &SimulatedLog) -> Self {
        Self { stage: Arc::default(), log: log.clone(), life: Life::long() }
    }

    /// As an instance reaches them.
    pub fn of(&self, life: &Life) -> Self {
        Self { life: life.clone(), ..self.clone() }
    }

    /// The next answers of the participant to `participant.action`; each is given once.
    pub fn line(&self, action: &str, line: Line) {
        lock(&self.stage).lines.entry(action.to_owned()).or_default().push_back(line);
    }

    /// See [`Self::line`].
    pub fn says(&self, action: &str, reply: Reply) {
        self.line(action, Line::Says(reply));
    }

    /// Has the participant say this the next time, but not before the gate opens.
    pub fn hangs(&self, action: &str, reply: Reply) -> Gate {
        let gate = Gate::default();
        self.line(action, Line::Hangs(gate.clone(), reply));
        gate
    }

    /// Has the next attempt at an action wait for its turn until the gate opens.
    pub fn turn_comes(&self, action: &str) -> Gate {
        let gate = Gate::default();
        lock(&self.stage).turns.entry(action.to_owned()).or_default().push_back(Turn::Comes(gate.clone()));
        gate
    }

    /// Has the next attempt at an action get no turn.
    pub fn no_turn(&self, action: &str) {
        lock(&self.stage).turns.entry(action.to_owned()).or_default().push_back(Turn::Never);
    }

    /// Has all further attempts at an action get their turns at once.
    pub fn turns_come_again(&self, action: &str) {
        lock(&self.stage).turns.remove(action);
    }

    /// Has participants say that they have no place for another attempt.
    pub fn full(&self, full: bool) {
        lock(&self.stage).full = full;
    }

    /// What participants were granted of the drivers, each time they were bounded.
    pub fn shares(&self) -> Vec<usize> {
        lock(&self.stage).shares.clone()
    }

    /// Who was asked for what, each as `participant.action #attempt`.
    pub fn asked(&self) -> Vec<String> {
        let told = |asked: &Asked| format!("{} #{}", asked.action, asked.ask.attempt.number);
        lock(&self.stage).asked.iter().map(told).collect()
    }

    /// Everything asked, in full.
    pub fn asks(&self) -> Vec<Asked> {
        lock(&self.stage).asked.clone()
    }

    /// How many requests for `participant.action` were sent.
    pub fn count(&self, action: &str) -> usize {
        lock(&self.stage).asked.iter().filter(|asked| asked.action == action).count()
    }

    /// Whose answers came as far as the instance, as in [`Self::asked`].
    pub fn answered(&self) -> Vec<String> {
        lock(&self.stage).answered.clone()
    }

    /// What the orchestrator did wrong.
    pub fn faults(&self) -> Vec<String> {
        lock(&self.stage).faults.clone()
    }

    /// The attempt as it stands in the log: it has to be there before anybody is asked to make it.
    fn recorded(&self, ask: &ActionRequest) -> Option<StepStarted> {
        self.log.stream(&ask.order_id.stream()).iter().rev().find_map(|recorded| {
            match wire::decode(&recorded.event_type, &recorded.data, &recorded.metadata).unwrap().event {
                Event::StepStarted(e) if is_of(&e, ask) => Some(e),
                _ => None,
            }
        })
    }

    fn enter(&self, ask: &ActionRequest) -> (String, Option<Line>, Mode) {
        let recorded = self.recorded(ask);
        let mut stage = lock(&self.stage);
        let Some(recorded) = recorded else {
            stage.faults.push(format!("asked for an attempt that is not in the log: {ask:?}"));
            return (ask.action.clone(), None, Mode::Call);
        };
        let attempt = &ask.attempt;
        let attempt = (ask.order_id.clone(), attempt.step.clone(), attempt.direction, attempt.number);
        if !stage.attempts.insert(attempt) {
            stage.faults.push(format!("asked twice for one attempt: {ask:?}"));
        }
        let action = format!("{}.{}", recorded.participant, recorded.action);
        if recorded.action != ask.action {
            stage.faults.push(format!("asked for something else than {action}: {ask:?}"));
        }
        stage.asked.push(Asked { action: action.clone(), ask: ask.clone() });
        let line = stage.lines.get_mut(&action).and_then(VecDeque::pop_front);
        (action, line, recorded.mode)
    }
}

fn is_of(started: &StepStarted, ask: &ActionRequest) -> bool {
    let attempt = &ask.attempt;
    started.step == attempt.step && started.direction == attempt.direction && started.attempt == attempt.number
}

impl Participants for SimulatedParticipants {
    type Turn = ();

    async fn turn(&self, ask: &ActionRequest, share: Option<usize>) -> Result<(), NotSent> {
        let line = {
            let mut stage = lock(&self.stage);
            stage.shares.extend(share);
            stage.turns.get_mut(&ask.action).and_then(VecDeque::pop_front)
        };
        match line {
            None => Ok(()),
            Some(Turn::Comes(gate)) => {
                self.life.lead(gate.pass()).await;
                Ok(())
            }
            Some(Turn::Never) => Err(NotSent::NoTurn("no turn came in time".to_owned())),
        }
    }

    fn has_room(&self, _: &Participant, _: usize) -> bool {
        !lock(&self.stage).full
    }

    async fn ask(&self, ask: ActionRequest, (): ()) -> Reply {
        let number = ask.attempt.number;
        let call = async {
            let (action, line, mode) = self.enter(&ask);
            let reply = match (line, mode) {
                (Some(Line::Says(reply)), _) => reply,
                (Some(Line::Hangs(gate, reply)), _) => {
                    gate.pass().await;
                    reply
                }
                (None, Mode::Call | Mode::Wait | Mode::Await) => done(),
                (None, Mode::Request) => Reply::Accepted,
            };
            lock(&self.stage).answered.push(format!("{action} #{number}"));
            reply
        };
        self.life.lead(call).await
    }
}
