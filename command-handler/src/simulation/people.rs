//! Those who look after orders: they answer what a step awaits of a person, and operate on orders
//! at any moment.

use std::collections::BTreeSet;
use std::time::Duration;

use access::{Role, SecondPerson, SecondPersonRule};
use domain::ids::{OrderId, RequestId, StepId};
use domain::order::{Direction, Event, Mode, Operate, Operation, Settle, Settlement};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::faults::Fault;
use super::letters::{Letter, post};
use super::members::Members;
use super::network::exchange;
use super::record::{Entry, OperationTaken, SettlementTaken};
use super::simulation::Simulation;
use super::sizes;
use crate::clock::Clock;
use crate::instruction::Instruction;
use crate::orchestrator::{Accepted, CommandError};
use crate::second_person::Asker;

/// How often an operator tries.
const MAX_TRIES: u32 = 20;

/// Answers whatever is awaited of a person: in time, too late, never, or two of them at once.
pub async fn answer_what_is_awaited(simulation: Simulation, members: Members) {
    let awaited = |event: &Event| match event {
        Event::WaitStarted(e) if e.mode == Mode::Await => Some(e.step.clone()),
        _ => None,
    };
    for_each_new(&simulation, awaited, |order_id, step| {
        for person in 0..*simulation.dice.pick(&[0, 1, 1, 1, 2]) {
            answer(&simulation, &members, &order_id, &step, person);
        }
    })
    .await;
}

/// Does something for each event that calls for it, once it is in the log.
async fn for_each_new(
    simulation: &Simulation,
    calls_for_it: impl Fn(&Event) -> Option<StepId>,
    mut act: impl FnMut(OrderId, StepId),
) {
    let mut seen = 0;
    loop {
        let before = simulation.written.get();
        let (new, last) = simulation.record(|record| {
            let entries = || record.orders.iter().flat_map(|(id, h)| h.entries.iter().map(move |entry| (id, entry)));
            let is_new = |(_, entry): &(&OrderId, &Entry)| entry.append > seen;
            let new: Vec<(OrderId, StepId)> = entries()
                .filter(is_new)
                .filter_map(|(id, entry)| Some((id.clone(), calls_for_it(&entry.event)?)))
                .collect();
            (new, entries().map(|(_, entry)| entry.append).max().unwrap_or_default())
        });
        seen = last;
        for (order_id, step) in new {
            act(order_id, step);
        }
        simulation.written.wait_until(|count| count > before).await;
    }
}

/// Looks after most of what is stuck, sooner or later: has it tried again, assumes its answer, or
/// cancels the order.
pub async fn look_after_what_is_stuck(simulation: Simulation, members: Members) {
    let stuck = |event: &Event| match event {
        Event::OrderStuck(e) => Some(e.step.clone()),
        _ => None,
    };
    for_each_new(&simulation, stuck, |order_id, step| {
        if simulation.dice.hits(700) {
            tokio::spawn(look_after(simulation.clone(), members.clone(), order_id, step));
        }
    })
    .await;
}

async fn look_after(simulation: Simulation, members: Members, order_id: OrderId, step: StepId) {
    sleep(simulation.dice.up_to(Duration::from_secs(*simulation.dice.pick(&[5, 60, 1_800])))).await;
    let (kind, operation) = match simulation.dice.within(0..4) {
        0..2 => (Fault::Retry, Operation::Retry { step: Some(step) }),
        2 => {
            let Some(known) = simulation.record(|record| record.step(&order_id, &step)) else { return };
            // An undo has no answers, and is skipped without one.
            let has_some = !known.outcomes.is_empty() && simulation.dice.hits(500);
            let outcome = has_some.then(|| simulation.dice.pick(&known.outcomes).clone());
            (Fault::Skip, Operation::Skip { step, outcome, data: sizes::data(&simulation, json!("assumed")) })
        }
        _ => (Fault::Cancel, Operation::Cancel),
    };
    until_answered(&simulation, &members, &order_id, kind, operation).await;
}

fn answer(simulation: &Simulation, members: &Members, order_id: &OrderId, step: &StepId, person: u32) {
    let Some(known) = simulation.record(|record| record.step(order_id, step)) else { return };
    let outcome = if known.outcomes.is_empty() { "done" } else { simulation.dice.pick(&known.outcomes) };
    let letter = Letter {
        from: None,
        order_id: order_id.clone(),
        step: step.clone(),
        direction: Direction::Do,
        outcome: Some(outcome.to_owned()),
        data: sizes::data(simulation, json!(person)),
        key: format!("{order_id}/{step}/person {person}"),
    };
    tokio::spawn(post(simulation.clone(), members.clone(), vec![letter], known.answer_timeout));
}

/// Operates a few times on an order, whatever it is doing.
pub async fn operate_on(simulation: Simulation, members: Members, order_id: OrderId) {
    for _ in 0..*simulation.dice.pick(&[0, 0, 1, 2, 4]) {
        sleep(simulation.dice.up_to(Duration::from_secs(*simulation.dice.pick(&[2, 10, 60])))).await;
        let (kind, operation) = match simulation.dice.within(0..12) {
            0..3 => (Fault::Cancel, Operation::Cancel),
            3..6 => (Fault::Pause, Operation::Pause),
            6..8 => (Fault::Retry, Operation::Retry { step: None }),
            8 => (Fault::Note, Operation::Note),
            9 => {
                ask(&simulation, &members, &order_id).await;
                continue;
            }
            _ => match skip(&simulation, &order_id) {
                Some(skip) => (Fault::Skip, skip),
                None => continue,
            },
        };
        let is_taken = until_answered(&simulation, &members, &order_id, kind, operation).await;
        // Some forget that they hold an order.
        if is_taken && kind == Fault::Pause && !simulation.dice.hits(100) {
            sleep(simulation.dice.up_to(Duration::from_secs(*simulation.dice.pick(&[1, 30, 600])))).await;
            until_answered(&simulation, &members, &order_id, Fault::Resume, Operation::Resume).await;
        }
    }
}

/// Asks for an operation that a second person has to approve. The two decide, one or both of them,
/// or too late, or never.
async fn ask(simulation: &Simulation, members: &Members, order_id: &OrderId) {
    let operation = match simulation.dice.within(0..4) {
        0 => Operation::Cancel,
        1 => Operation::Pause,
        2 => Operation::Retry { step: None },
        _ => match skip(simulation, order_id) {
            Some(skip) => skip,
            None => return,
        },
    };
    let expires = Duration::from_secs(*simulation.dice.pick(&[20, 600]));
    let instruction = Instruction {
        operation,
        actor: "op".to_owned(),
        reason: sizes::text(&simulation.dice, "as chance has it"),
        approved_by: None,
        asker: Some(Asker::new("op".to_owned(), everything(expires))),
    };
    let (at, id) = (members.clone(), order_id.clone());
    let asked = exchange(simulation, move || {
        let (at, id, instruction) = (at.clone(), id.clone(), instruction.clone());
        async move { Some(at.any()?.carry_out(id, &instruction).await) }
    });
    let Ok(Ok(Some(Ok(Accepted { request: Some(request), .. })))) = timeout(Duration::from_secs(5), asked).await else {
        return;
    };
    simulation.note(Fault::Ask);
    let RequestId::Order { number, .. } = request.id else { return };
    for _ in 0..*simulation.dice.pick(&[0, 1, 1, 2]) {
        sleep(simulation.dice.up_to(Duration::from_secs(*simulation.dice.pick(&[2, 30])))).await;
        let (how, by, kind) = *simulation.dice.pick(&[
            (Settlement::Approved, "second", Fault::Approve),
            (Settlement::Approved, "second", Fault::Approve),
            (Settlement::Approved, "op", Fault::Approve),
            (Settlement::Declined, "second", Fault::Decline),
            (Settlement::Withdrawn, "op", Fault::Withdraw),
        ]);
        settle(simulation, members, (order_id, number), (how, by), kind).await;
    }
}

/// Rules for every operation.
fn everything(expires: Duration) -> SecondPerson {
    SecondPerson::new([SecondPersonRule {
        operations: SecondPerson::OPERATIONS.map(str::to_owned).into(),
        workflows: BTreeSet::new(),
        above_total: None,
        above_orders: None,
        approver: Role::Operator,
        expires,
    }])
}

async fn settle(
    simulation: &Simulation,
    members: &Members,
    (order_id, request): (&OrderId, u32),
    (how, by): (Settlement, &str),
    kind: Fault,
) {
    let (at, id, by) = (members.clone(), order_id.clone(), by.to_owned());
    let settled = exchange(simulation, move || {
        let (at, id, by) = (at.clone(), id.clone(), by.clone());
        async move {
            let member = at.any()?;
            let (roles, now) = (vec!["operator".to_owned()], member.clock().now());
            Some(member.settle(id, Settle { request, how, by, roles, now }, None).await)
        }
    });
    if let Ok(Ok(Some(Ok(_)))) = timeout(Duration::from_secs(5), settled).await {
        simulation.note(kind);
        let taken = SettlementTaken { order_id: order_id.clone(), request, how };
        simulation.record(|record| record.settlements_taken.push(taken));
    }
}

/// Any step, with any answer that it knows.
fn skip(simulation: &Simulation, order_id: &OrderId) -> Option<Operation> {
    let definition = simulation.record(|record| record.definition(order_id))?;
    let steps: Vec<_> = definition.steps.iter().chain(&definition.compensated).collect();
    let step = simulation.dice.pick(&steps);
    let outcome = (!step.outcomes.is_empty()).then(|| simulation.dice.pick(&step.outcomes).clone());
    Some(Operation::Skip { step: step.id.clone(), outcome, data: sizes::data(simulation, json!("assumed")) })
}

/// Returns whether the operation was accepted. Without an answer, it may have been.
async fn until_answered(
    simulation: &Simulation,
    members: &Members,
    order_id: &OrderId,
    kind: Fault,
    operation: Operation,
) -> bool {
    for _ in 0..MAX_TRIES {
        let (at, id, wish) = (members.clone(), order_id.clone(), operation.clone());
        let reason = sizes::text(&simulation.dice, "as chance has it");
        let answered = exchange(simulation, move || hand_over(at.clone(), id.clone(), wish.clone(), reason.clone()));
        match timeout(Duration::from_secs(5), answered).await {
            Ok(Ok(Some(Ok(accepted)))) => {
                simulation.note(kind);
                simulation.tell(format_args!(
                    "order {order_id}: {} is acknowledged at {}",
                    operation.as_str(),
                    accepted.revision
                ));
                let taken = OperationTaken { order_id: order_id.clone(), operation, revision: accepted.revision };
                simulation.record(|record| record.operations_taken.push(taken));
                return true;
            }
            Ok(Ok(Some(Err(CommandError::Refused(refusal))))) => {
                simulation.tell(format_args!("order {order_id}: {} is refused: {refusal}", operation.as_str()));
                // It may be refused because it was taken before, unheard.
                return true;
            }
            Ok(Ok(Some(Err(_)) | None) | Err(_)) | Err(_) => {}
        }
        sleep(simulation.dice.up_to(Duration::from_secs(2))).await;
    }
    false
}

async fn hand_over(
    members: Members,
    order_id: OrderId,
    operation: Operation,
    reason: String,
) -> Option<Result<Accepted, CommandError>> {
    let member = members.any()?;
    let now = member.clock().now();
    let operate = Operate { operation, actor: "op".to_owned(), reason, now };
    Some(member.operate(order_id, operate).await)
}
