//! The later answers of participants, and of people: each is sent until an instance has accepted or
//! refused it, under the same key each time.

use std::time::Duration;

use domain::ids::{OrderId, StepId};
use domain::order::{Direction, LateRefusal, Signal};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::faults::Fault;
use super::members::Members;
use super::network::exchange;
use super::simulation::Simulation;
use crate::clock::Clock;
use crate::orchestrator::{Accepted, CommandError};

/// One later answer.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The participant; none: a person.
    pub from: Option<String>,
    pub order_id: OrderId,
    pub step: StepId,
    /// Whether it answers the step, or its undo.
    pub direction: Direction,
    /// None: it says that nothing will be done.
    pub outcome: Option<String>,
    pub data: Value,
    pub key: String,
}

/// How a participant says that it will not do what it has accepted.
pub const REFUSED_LATER: &str = "it cannot be done after all";

/// How often a participant tries.
const MAX_TRIES: u32 = 40;

/// Sends these, one after another or all at once, within the time that there is, or a little later.
pub async fn post(simulation: Simulation, members: Members, letters: Vec<Letter>, longest: Duration) {
    for letter in letters {
        let longest = if simulation.dice.hits(100) {
            longest + Duration::from_secs(2)
        } else {
            longest.min(Duration::from_secs(5))
        };
        sleep(simulation.dice.up_to(longest)).await;
        let delivery = deliver(simulation.clone(), members.clone(), letter);
        if simulation.dice.hits(200) {
            tokio::spawn(delivery);
        } else {
            delivery.await;
        }
    }
}

async fn deliver(simulation: Simulation, members: Members, letter: Letter) {
    for tries in 0..MAX_TRIES {
        let (at, sent) = (members.clone(), letter.clone());
        let answered = exchange(&simulation, move || hand_over(at.clone(), sent.clone()));
        match timeout(Duration::from_secs(5), answered).await {
            Ok(Ok(Some(Ok(accepted)))) => {
                note_taken(&simulation, &letter, &accepted);
                if letter.outcome.is_some() && simulation.happens(Fault::OtherAnswer) {
                    let data = json!({ "tracking": "another" });
                    return Box::pin(deliver(simulation.clone(), members, Letter { data, ..letter })).await;
                }
                if !simulation.happens(Fault::AnsweredTwice) {
                    return;
                }
            }
            Ok(Ok(Some(Err(CommandError::Refused(refusal))))) => {
                simulation.tell(format_args!("the letter {} is refused: {refusal}", letter.key));
                return;
            }
            Ok(Ok(Some(Err(error @ (CommandError::UnknownOrder(_) | CommandError::OtherParticipant { .. }))))) => {
                return simulation.wrong("no_answer_without_a_record", format!("{letter:?}: {error}"));
            }
            // No instance received it, or had time for it: once more, later.
            Ok(Ok(Some(Err(_)) | None) | Err(_)) | Err(_) => {}
        }
        sleep(simulation.dice.up_to(Duration::from_secs(2) * (tries + 1))).await;
    }
}

async fn hand_over(members: Members, letter: Letter) -> Option<Result<Accepted, CommandError>> {
    let member = members.any()?;
    let Letter { from, order_id, step, direction, outcome, data, key } = letter;
    let now = member.clock().now();
    if let Some(outcome) = outcome {
        let signal = Signal { step, direction, outcome: Some(outcome), data, key: Some(key), now };
        return Some(match from {
            Some(participant) => member.signal_from(participant, order_id, signal).await,
            None => member.signal(order_id, signal).await,
        });
    }
    let error = REFUSED_LATER.to_owned();
    let refusal = LateRefusal { step, direction, error, request: None, key: Some(key), misconfigured: false, now };
    Some(member.refuse_from(from.unwrap_or_default(), order_id, refusal).await)
}

fn note_taken(simulation: &Simulation, letter: &Letter, accepted: &Accepted) {
    simulation.tell(format_args!("the letter {} is taken at revision {}", letter.key, accepted.revision));
    simulation.record(|record| record.answers_taken.push(letter.clone()));
}
