//! An operation that a second person has to approve: it is asked for, and approved, declined,
//! withdrawn, or too old.
//!
//! The order does not wait for it. It goes on, and what is approved is decided on the order as it
//! is then. So an approval may be refused, and the request stays open until it expires or the order
//! ends.

use super::decision::{DecideError, Decision};
use super::operate::operate as carry_out;
use crate::Timestamp;
use crate::order::command::{Operate, Refusal, Request, Settle};
use crate::order::event::{Event, OperationRequested, RequestSettled, Settlement};
use crate::order::limits::Limits;
use crate::order::state::Order;
use crate::workflow::Workflow;

/// The limit of requests that wait at once.
pub(super) const MAX_OPEN: usize = 10;
/// The limit of requests of one order: a client in a loop must not fill its history.
pub(super) const MAX_REQUESTS: u32 = 1_000;
/// The role that may approve and decline everything.
const ADMIN: &str = "admin";

/// Records the request, if the order allows the operation now.
pub(super) fn request(
    workflow: &Workflow,
    state: &Order,
    request: &Request,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    let Request { operate, principal, approver, previewed_at, expires_at } = request;
    preview(workflow, state, operate, decision.at)?;
    if let Some(open) = state.requests.values().find(|open| open.operation == operate.operation) {
        return Err(Refusal::RequestedAlready { request: open.request }.into());
    }
    if state.requests.len() >= MAX_OPEN || state.requests_made >= MAX_REQUESTS {
        let count = if state.requests_made >= MAX_REQUESTS { MAX_REQUESTS as usize } else { MAX_OPEN };
        return Err(Refusal::TooManyRequests { count }.into());
    }
    decision.record(Event::OperationRequested(Box::new(OperationRequested {
        request: state.requests_made + 1,
        operation: operate.operation.clone(),
        requested_by: operate.actor.clone(),
        principal: principal.clone(),
        reason: operate.reason.clone(),
        approver: approver.clone(),
        previewed_at: *previewed_at,
        expires_at: *expires_at,
        at: decision.at,
    })))?;
    Ok(())
}

/// Settles a request. If it is approved, the operation is part of the same decision.
pub(super) fn settle(
    workflow: &Workflow,
    state: &Order,
    settle: &Settle,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    let &Settle { request, how, ref by, now, .. } = settle;
    let Some(open) = state.requests.get(&request) else { return Err(Refusal::NoOpenRequest { request }.into()) };
    if open.expires_at <= decision.at {
        return Err(Refusal::RequestExpired { request, expired_at: open.expires_at }.into());
    }
    may_settle(how, (by, &settle.roles), (&open.requested_by, &open.principal, &open.approver))?;
    let settled = Event::RequestSettled(RequestSettled { request, how, at: decision.at });
    if how != Settlement::Approved {
        decision.record(settled)?;
        return Ok(());
    }
    let (operation, reason) = (open.operation.clone(), open.reason.clone());
    let operate = Operate { operation, actor: Operate::approved(&open.requested_by, Some(by)), reason, now };
    preview(workflow, state, &operate, decision.at)?;
    decision.record(settled)?;
    carry_out(workflow, state, &operate, decision)
}

/// Decides the operation, and keeps nothing of it: a refusal is the one that it would get.
fn preview(workflow: &Workflow, state: &Order, operate: &Operate, at: Timestamp) -> Result<(), DecideError> {
    carry_out(workflow, state, operate, &mut Decision::about(state, at, Limits::LOG, None))
}

/// Whether a principal asked for something: it sent the request, or another one sent it in its
/// name.
pub fn is_by(principal: &str, requested_by: &str, sent_by: &str) -> bool {
    let named = requested_by.strip_suffix(&format!(", by {sent_by}"));
    sent_by == principal || named.unwrap_or(requested_by) == principal
}

/// Whether a principal with these roles may settle a request so.
pub(crate) fn may_settle(
    how: Settlement,
    (by, roles): (&str, &[String]),
    (requested_by, sent_by, approver): (&str, &str, &str),
) -> Result<(), Refusal> {
    let (is_own, by) = (is_by(by, requested_by, sent_by), by.to_owned());
    match how {
        Settlement::Approved | Settlement::Declined if is_own => Err(Refusal::SamePerson { by }),
        Settlement::Approved | Settlement::Declined => {
            let may = roles.iter().any(|role| role == approver || role == ADMIN);
            if may { Ok(()) } else { Err(Refusal::NotAnApprover { by, role: approver.to_owned() }) }
        }
        Settlement::Withdrawn if !is_own => Err(Refusal::NotTheRequester { by, requested_by: requested_by.to_owned() }),
        Settlement::Withdrawn | Settlement::Expired => Ok(()),
    }
}
