//! Which consumer gets an event.

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::consumer::{Consumer, ConsumerId};
use super::message::Message;
use super::settings::Strategy;

/// The consumer for an event. `None`: no allowed consumer has room now.
pub(super) fn choose(
    strategy: Strategy,
    consumers: &[Consumer],
    last_turn: ConsumerId,
    message: &Message,
) -> Option<ConsumerId> {
    let mut free = consumers.iter().filter(|consumer| consumer.in_flight < consumer.slots);
    match strategy {
        Strategy::DispatchToSingle => free.next(),
        // Consumers are in the order of their arrival, and so are their ids.
        Strategy::RoundRobin => free.clone().find(|consumer| consumer.id > last_turn).or_else(|| free.next()),
        Strategy::Pinned => pinned(consumers, stream_of(message)),
        Strategy::PinnedByCorrelation => {
            let correlation = correlation_of(message);
            pinned(consumers, correlation.as_deref().map_or(stream_of(message), str::as_bytes))
        }
    }
    .map(|consumer| consumer.id)
}

/// The consumer with the highest hash together with the key. When a consumer comes or goes, only
/// its own keys move (rendezvous hashing: Thaler and Ravishankar, "Using name-based mappings to
/// increase hit rates", 1998).
fn pinned<'a>(consumers: &'a [Consumer], key: &[u8]) -> Option<&'a Consumer> {
    let chosen = consumers.iter().max_by_key(|consumer| xxh3_64_with_seed(key, consumer.id))?;
    (chosen.in_flight < chosen.slots).then_some(chosen)
}

/// Links are pinned by the stream to which they point.
fn stream_of(message: &Message) -> &[u8] {
    let event = message.event.event.as_ref().or(message.event.link.as_ref());
    event.map_or(&[], |event| event.record.stream.as_bytes())
}

fn correlation_of(message: &Message) -> Option<String> {
    let event = message.event.event.as_ref()?;
    let metadata: Value = serde_json::from_slice(&event.record.metadata).ok()?;
    metadata.get("$correlationId")?.as_str().map(str::to_owned)
}
