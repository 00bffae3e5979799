//! The parts that the handlers of the endpoint share.

use std::sync::Arc;

use access::SecondPerson;

use crate::admission::Admission;
use crate::orchestrator::Orchestrator;
use crate::participants::AllParticipants;
use crate::placing::Placing;

/// The parts that every handler uses.
#[derive(Debug)]
pub(super) struct Endpoint<L, C> {
    pub orchestrator: Orchestrator<L, AllParticipants<L>, C>,
    pub placing: Placing<L, AllParticipants<L>, C>,
    pub admission: Admission,
    pub second_person: SecondPerson,
}

pub(super) type Handle<L, C> = Arc<Endpoint<L, C>>;
