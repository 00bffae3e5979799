//! Takes one reply: to its order, or aside. Trouble that passes is waited out.

use std::time::Duration;

use back_off::{BackOff, Limits};
use domain::order::Refusal;
use domain::wire::participants::{PARKED_REPLIES, ReplyParked};
use event_store::{AppendError, Expected, RecordedEvent};
use tokio::time::sleep;
use tracing::{debug, error, warn};

use super::reading::{Received, Told, received};
use super::tally::ReplyTally;
use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::{CommandError, Orchestrator};
use crate::participants::{Participants, event, shortened};

/// The pause before a reply is tried again.
const PAUSES: Limits = Limits::new(Duration::from_millis(20), Duration::from_secs(2));

/// Takes replies to their orders.
#[derive(Debug)]
pub(crate) struct Taker<L, P, C> {
    orchestrator: Orchestrator<L, P, C>,
    log: L,
    tally: ReplyTally,
}

/// What became of a reply.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Its order has it.
    Recorded,
    /// It came late, or again, and would change nothing.
    Dropped,
    /// It cannot be taken, for this reason.
    Aside(String),
}

impl<L: Log, P: Participants, C: Clock> Taker<L, P, C> {
    pub fn new(orchestrator: Orchestrator<L, P, C>, log: L, tally: ReplyTally) -> Self {
        Self { orchestrator, log, tally }
    }

    /// Returns once the reply is recorded, dropped or set aside.
    pub async fn take(&self, reply: &RecordedEvent) {
        let end = match received(reply) {
            Ok(received) => self.deliver(&received).await,
            Err(reason) => End::Aside(reason),
        };
        let (stream, revision) = (&reply.stream, reply.revision);
        match end {
            End::Recorded => self.tally.recorded(),
            End::Dropped => {
                debug!(%stream, revision, "no step waits for a reply: it came late, or again");
                self.tally.dropped();
            }
            End::Aside(reason) => {
                self.park(reply, &reason).await;
                self.tally.parked();
                error!(%stream, revision, reason, parked = self.tally.now().parked, "a reply was set aside");
            }
        }
    }

    /// Hands it to its order, as often as it takes.
    async fn deliver(&self, received: &Received) -> End {
        let order = received.reply().order_id();
        let mut back_off = BackOff::new(PAUSES);
        loop {
            let trouble = match self.hand_over(received).await {
                Ok(()) => return End::Recorded,
                Err(CommandError::Refused(refusal)) => return refused(&refusal),
                Err(
                    error @ (CommandError::UnknownOrder(_)
                    | CommandError::OtherParticipant { .. }
                    | CommandError::Broken(_)
                    | CommandError::Incomplete(_)
                    | CommandError::Foreign(_)),
                ) => {
                    return End::Aside(error.to_string());
                }
                Err(trouble @ (CommandError::NoDriver(_) | CommandError::Failed(_))) => trouble,
            };
            let pause = back_off.next_pause();
            warn!(%order, %trouble, wait_ms = pause.as_millis(), "a reply could not be recorded yet");
            sleep(pause).await;
        }
    }

    async fn hand_over(&self, received: &Received) -> Result<(), CommandError> {
        let (order, participant) = (received.reply().order_id().clone(), received.participant().to_owned());
        let accepted = match received.told(self.orchestrator.clock().now()) {
            Told::Answer(signal) => self.orchestrator.signal_from(participant, order, signal).await,
            Told::Refusal(refusal) => self.orchestrator.refuse_from(participant, order, refusal).await,
        };
        accepted.map(drop)
    }

    /// Sets it aside, under an id that derives from its own.
    async fn park(&self, reply: &RecordedEvent, reason: &str) {
        let parked = ReplyParked {
            stream: reply.stream.clone(),
            revision: reply.revision,
            event_type: reply.event_type.clone(),
            reason: shortened(reason),
        };
        let message = match parked.message(reply.id) {
            Ok(message) => message,
            Err(error) => return error!(%error, "a reply that was set aside could not be written down"),
        };
        let mut back_off = BackOff::new(PAUSES);
        loop {
            match self.log.append(PARKED_REPLIES, Expected::Any, vec![event(message.clone())]).await {
                Ok(_) => return,
                Err(error @ AppendError::Unavailable(_)) => warn!(%error, "a reply could not be set aside yet"),
                // The reply itself stays in its stream, and the log line says the rest.
                Err(error) => return error!(%error, "a reply that was set aside could not be written down"),
            }
            sleep(back_off.next_pause()).await;
        }
    }
}

fn refused(refusal: &Refusal) -> End {
    match refusal {
        Refusal::TooLate { .. } => End::Dropped,
        Refusal::NotWaiting { .. }
        | Refusal::Contradicts { .. }
        | Refusal::OtherAnswer { .. }
        | Refusal::UnknownStep { .. }
        | Refusal::UnknownOutcome { .. }
        | Refusal::TooManyAnswers { .. }
        | Refusal::TooManyNotes { .. }
        | Refusal::RequestedAlready { .. }
        | Refusal::TooManyRequests { .. }
        | Refusal::NoOpenRequest { .. }
        | Refusal::RequestExpired { .. }
        | Refusal::SamePerson { .. }
        | Refusal::NotAnApprover { .. }
        | Refusal::NotTheRequester { .. }
        | Refusal::TooManyPauses { .. }
        | Refusal::TooManyAttempts { .. }
        | Refusal::AlreadyPlaced
        | Refusal::NotPlaced
        | Refusal::TotalTooLarge
        | Refusal::TooLarge { .. }
        | Refusal::NotNow { .. }
        | Refusal::UndoneAlready { .. }
        | Refusal::NeverAsked { .. }
        | Refusal::StepNotNow { .. }
        | Refusal::NothingToRetry { .. } => End::Aside(refusal.to_string()),
    }
}
