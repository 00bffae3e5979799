//! Commands that a second person has to approve: they are asked for instead.

use std::borrow::Cow;

use domain::ids::RequestId;
use domain::order::{Command, Request};

use super::ActiveOrder;
use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::results::{Accepted, WaitingRequest};
use crate::orders::Cause;
use crate::participants::Participants;

impl<L: Log, P: Participants, C: Clock> ActiveOrder<L, P, C> {
    /// The command, or the request for it if a second person has to approve it.
    pub(super) fn carried_out_or_asked(&self, command: Command, cause: &Cause) -> Command {
        match (command, &cause.asker) {
            (Command::Operate(operate), Some(asker)) => asker.command(operate, &self.order.state.placed),
            (command, _) => command,
        }
    }

    /// The order after the command that was just decided.
    pub(super) fn accepted(&self, command: &Command) -> Accepted {
        let state = &self.order.state;
        let last = state.requests.get(&state.requests_made).filter(|_| matches!(command, Command::Request(_)));
        let request = last.map(|last| WaitingRequest {
            id: RequestId::of_order(&self.id, last.request),
            expires_at: last.expires_at,
        });
        Accepted { order_id: self.id.clone(), revision: self.order.revision, position: self.order.position, request }
    }

    /// The command as it is decided now: a request records the revision at which it was decided.
    pub(super) fn as_decided_now<'c>(&self, command: &'c Command) -> Cow<'c, Command> {
        match command {
            Command::Request(request) => {
                let request = Request { previewed_at: self.order.revision, ..request.clone() };
                Cow::Owned(Command::Request(request))
            }
            _ => Cow::Borrowed(command),
        }
    }
}
