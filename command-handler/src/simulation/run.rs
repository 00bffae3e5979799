//! One run: everything that happens follows from its seed.

use std::cell::RefCell;
use std::panic;
use std::sync::{Arc, LazyLock, Once};
use std::time::Duration;

use domain::ids::OrderId;
use domain::order::{NewOrder, WorkflowRef, summary};
use domain::workflow::Workflow;
use event_store::{Expected, RecordedEvent};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::bug::Bug;
use super::clients::place;
use super::definitions::definition;
use super::faults::{Counts, Fault};
use super::invariants;
use super::keys;
use super::list::List;
use super::members::{Members, keep};
use super::people::{answer_what_is_awaited, look_after_what_is_stuck, operate_on};
use super::personal::personalise;
use super::record::{History, Record};
use super::services::Services;
use super::simulation::Simulation;
use super::sizes;
use crate::fakes::world::{WITH_BACKORDER, WITHOUT_BACKORDER, order, registration};

/// How long the longest workflow may take, with all its retries and all that goes wrong.
const LONGEST: Duration = Duration::from_hours(90 * 24);
/// How long the slowest message takes, with all its repetitions.
const LATEST: Duration = Duration::from_hours(2);

/// The generated workflow.
const DRAWN: &str = "drawn";

/// What is to be known of a run.
#[derive(Debug)]
pub struct Run {
    pub seed: u64,
    /// The invariants that were broken, and how.
    pub broken: Vec<(&'static str, String)>,
    pub faults: Counts,
    pub orders: usize,
    pub events: usize,
    /// What happened, as each one saw it; empty unless it was asked for.
    pub trace: Vec<String>,
    /// What happened to each order, in sentences; empty unless it was asked for.
    pub story: Vec<String>,
    /// The whole log; empty unless it was asked for.
    pub log: Vec<RecordedEvent>,
}

/// How a run is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct How {
    pub bug: Option<Bug>,
    /// Whether the run prints its steps.
    pub told: bool,
}

/// Makes a run.
pub fn run(seed: u64, how: How) -> Run {
    note_panics();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let simulation = runtime.block_on(async {
        let simulation = Simulation::new(seed, how.bug, how.told);
        live(&simulation).await;
        simulation
    });
    drop(runtime);
    for panic in PANICS.take() {
        simulation.wrong("no_panic_on_any_input", panic);
    }
    report(seed, &simulation, how.told)
}

async fn live(simulation: &Simulation) {
    let workflow = set_up(simulation);
    let dice = &simulation.dice;
    let members = Members::new(simulation.clone(), usize::try_from(dice.within(1..4)).unwrap());
    let services = Services::new(simulation.clone(), members.clone());
    let list = List::new(simulation.clone());
    tokio::spawn(list.clone().follow());
    for index in 0..members.places() {
        tokio::spawn(keep(members.clone(), index, services.clone(), list.clone()));
    }
    if workflow == DRAWN && dice.hits(200) {
        tokio::spawn(register_another(simulation.clone(), members.clone()));
    }
    tokio::spawn(answer_what_is_awaited(simulation.clone(), members.clone()));
    tokio::spawn(look_after_what_is_stuck(simulation.clone(), members.clone()));
    let mut clients = JoinSet::new();
    for number in 0..*dice.pick(&[1, 1, 1, 2, 3]) {
        let order_id = OrderId::new(format!("o{number}")).unwrap();
        clients.spawn(operate_on(simulation.clone(), members.clone(), order_id.clone()));
        let order = content(simulation, &workflow, number);
        simulation.record(|record| record.ordered.insert(order_id.clone(), order.clone()));
        tokio::spawn(keys::may_lose(simulation.clone(), order_id.clone(), order.customer.id.clone()));
        clients.spawn(place(simulation.clone(), members.clone(), order_id, order));
    }
    if timeout(LONGEST, come_to_rest(simulation, clients)).await.is_err() {
        simulation.wrong("every_order_ends_or_is_visibly_stuck", format!("not all have after {LONGEST:?}"));
    }
    for member in members.dismiss() {
        member.go().await;
        member.look_if_at_rest();
    }
    // Some may have been started since; they and their services know one another, and would be kept
    // for ever.
    members.dismiss();
}

/// Waits until every client is through and every order over, and then until the last message has
/// come. It does not wait for an order whose key is lost.
async fn come_to_rest(simulation: &Simulation, mut clients: JoinSet<()>) {
    while clients.join_next().await.is_some() {}
    let written = &simulation.written;
    loop {
        let settled = |_| {
            simulation.record(|record| {
                let is_over = |(id, history): (&OrderId, &History)| history.is_settled() || record.is_key_lost(id);
                record.orders.iter().all(is_over)
            })
        };
        written.wait_until(settled).await;
        simulation.calm.cancel();
        let before = written.get();
        sleep(LATEST).await;
        if written.get() == before {
            return;
        }
    }
}

/// The two that ship; reading them takes longer than many a run.
static SHIPPED: LazyLock<[Arc<Workflow>; 2]> =
    LazyLock::new(|| [WITH_BACKORDER, WITHOUT_BACKORDER].map(|source| Arc::new(Workflow::parse(source).unwrap())));

/// Puts the definition into the log that the orders follow, and gives its name: mostly a generated
/// one.
fn set_up(simulation: &Simulation) -> String {
    let workflow = if simulation.dice.hits(150) {
        simulation.dice.pick(&*SHIPPED).clone()
    } else {
        Arc::new(Workflow::parse(&definition(&simulation.dice, DRAWN, 1)).expect("a valid definition"))
    };
    let id = Uuid::from_u128(simulation.dice.within(0..u64::MAX).into());
    let (stream, event) = registration(&workflow.source, simulation.now(), id);
    simulation.write(&stream, Expected::NoStream, &[event]).unwrap();
    know(simulation, &workflow);
    workflow.name.clone()
}

fn know(simulation: &Simulation, workflow: &Arc<Workflow>) {
    let reference = WorkflowRef { name: workflow.name.clone(), version: workflow.version };
    simulation.record(|record| record.definitions.insert(reference, workflow.clone()));
}

/// In the middle of it all, the drawn definition gets a new version.
async fn register_another(simulation: Simulation, members: Members) {
    let source = definition(&simulation.dice, DRAWN, 2);
    know(&simulation, &Arc::new(Workflow::parse(&source).expect("a valid definition")));
    for _ in 0..20 {
        sleep(simulation.dice.up_to(Duration::from_secs(5))).await;
        let Some(member) = members.any() else { continue };
        let registered = timeout(Duration::from_secs(5), member.workflows().register(&source)).await;
        if let Ok(Ok(registered)) = registered {
            return simulation.tell(format_args!("another version is registered: {registered:?}"));
        }
    }
}

fn content(simulation: &Simulation, workflow: &str, number: u32) -> NewOrder {
    let mut order = order(workflow);
    order.lines[0].quantity += number;
    personalise(simulation, &mut order, number);
    sizes::enlarge(&simulation.dice, &mut order);
    order
}

fn report(seed: u64, simulation: &Simulation, told: bool) -> Run {
    let faults = simulation.faults.counts();
    simulation.record(|record| {
        record.somebody_was_out_of_time =
            simulation.faults.count(Fault::Stall) + simulation.faults.count(Fault::ClockJump) > 0;
        let mut broken = std::mem::take(&mut record.wrong);
        for (name, invariant) in invariants::ALL {
            broken.extend(invariant(record).into_iter().map(|how| (*name, how)));
        }
        let entries = || record.orders.values().flat_map(|history| &history.entries);
        Run {
            seed,
            broken,
            faults,
            orders: record.orders.len(),
            events: entries().count(),
            trace: simulation.trace(),
            story: if told { story(record) } else { Vec::new() },
            log: if told { entries().map(|entry| entry.recorded.clone()).collect() } else { Vec::new() },
        }
    })
}

fn story(record: &Record) -> Vec<String> {
    let mut lines = Vec::new();
    for (id, history) in &record.orders {
        if let Some(definition) = record.definition(id) {
            lines.push(format!("order {id} follows {} {}", definition.name, definition.version));
            if definition.name == DRAWN {
                lines.extend(definition.source.lines().map(|line| format!("    | {line}")));
            }
        }
        for entry in &history.entries {
            lines.push(format!("  {} {:>3} {}", entry.written_at, entry.recorded.revision, summary(&entry.event)));
        }
        for effect in record.effects.iter().filter(|effect| effect.order_id == *id) {
            lines.push(format!("  {} the participant acted: {} {:?}", effect.at, effect.step, effect.direction));
        }
    }
    lines
}

thread_local! {
    /// What has panicked in this thread's run; its tasks die of it silently.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
            before(info);
        }));
    });
    PANICS.take();
}
