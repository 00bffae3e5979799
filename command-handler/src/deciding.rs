//! Decisions that may take long are made where they hold up nothing else.
//!
//! Expressions that go through lists, or match patterns, may take a tenth of a second in one piece.
//! On a thread of the runtime some of them side by side would keep probes and all other orders
//! waiting.

use std::num::NonZero;
use std::sync::LazyLock;
use std::thread::available_parallelism;

use domain::order::{Command, DecideError, Event, Limits, Order, decide_within};
use domain::workflow::Workflow;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

/// As many at once as there are cores: each may hold some 64 MiB while it lasts.
static TURNS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, NonZero::get)));

/// Decides a command, as [`decide_within`] does.
pub(crate) async fn decided(
    workflow: &Workflow,
    state: Option<&Order>,
    command: &Command,
    limits: Limits,
) -> Result<(Vec<Event>, Order), DecideError> {
    let decide = || decide_within(workflow, state, command, limits);
    if workflow.may_take_long() { aside(decide).await } else { decide() }
}

/// Works while the runtime's other tasks go on elsewhere. A runtime of one thread, as tests have
/// it, has no elsewhere.
async fn aside<T>(work: impl FnOnce() -> T) -> T {
    if Handle::current().runtime_flavor() != RuntimeFlavor::MultiThread {
        return work();
    }
    // Nothing closes it.
    let _turn = TURNS.acquire().await.ok();
    block_in_place(work)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn other_tasks_of_a_runtime_with_one_worker_go_on_while_a_decision_takes_long() {
        let (others, heard) = mpsc::channel();
        let long = tokio::spawn(aside(move || heard.recv_timeout(Duration::from_mins(1))));
        let other = tokio::spawn(async move { others.send("still here") });
        assert_eq!(long.await.unwrap(), Ok("still here"));
        other.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_runtime_of_one_thread_decides_by_itself() {
        assert_eq!(aside(|| 7).await, 7);
    }
}
