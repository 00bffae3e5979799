//! Several instances on several threads, for real: the one place here where a run differs from the
//! next.

use std::time::Duration;

use domain::ids::OrderId;
use domain::order::{Signal, State};
use futures::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::world::{Instance, World, fulfilment, id};
use crate::orchestrator::{Accepted, PlaceError};

const ORDERS: usize = 30;
const LONGEST: Duration = Duration::from_secs(20);

/// Places an order at both instances at once, and answers for its shipping at both until one answer
/// is taken.
async fn live(instances: [Instance; 2], order_id: OrderId, answer: Signal) -> [Accepted; 2] {
    let placing = instances.clone().map(|instance| {
        let order_id = order_id.clone();
        tokio::spawn(async move { instance.place(order_id, fulfilment(), None).await })
    });
    let placed: Vec<Result<Accepted, PlaceError>> = join_all(placing).await.into_iter().map(Result::unwrap).collect();
    let answering = instances.map(|instance| {
        let (order_id, answer) = (order_id.clone(), answer.clone());
        tokio::spawn(async move {
            while instance.signal(order_id.clone(), answer.clone()).await.is_err() {
                sleep(Duration::from_millis(1)).await;
            }
        })
    });
    join_all(answering).await;
    let [first, second] = placed.try_into().unwrap();
    [first.unwrap(), second.unwrap()]
}

#[test]
fn instances_that_race_on_many_threads_agree_on_every_order() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    runtime.block_on(async {
        let world = World::new();
        world.log.dawdle_from_now_on(1);
        let instances = [world.instance(), world.instance()];
        let lives = (0..ORDERS).map(|number| {
            let answer = world.answer("shipped", Some("k"));
            tokio::spawn(live(instances.clone(), id(&number.to_string()), answer))
        });
        for accepted in timeout(LONGEST, join_all(lives)).await.expect("an answer is never taken") {
            let [first, second] = accepted.unwrap();
            assert_eq!(first, second);
        }
        let since = Instant::now();
        let ended = |id: &OrderId| world.state(id).state() == State::Completed;
        while !world.orders().iter().all(ended) || instances.iter().any(|i| i.drivers() > 0 || i.free() < 2_000) {
            assert!(since.elapsed() < LONGEST, "an order does not end");
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(world.orders().len(), ORDERS);
        // An answer that comes before its request was sent leaves nothing to ask for.
        let (requests, calls): (Vec<_>, Vec<_>) =
            world.participants.asked().into_iter().partition(|asked| asked.starts_with("shipping.ship "));
        assert_eq!(calls.len(), 4 * ORDERS);
        assert!(requests.len() <= ORDERS, "{requests:?}");
        world.assert_at_rest();
    });
}
