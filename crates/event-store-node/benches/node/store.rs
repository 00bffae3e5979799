//! The node as its clients see it, and the events that they write.

use eventstore::{Client, EventData};
use rand::distr::{Alphanumeric, SampleString};
use uuid::Uuid;

use crate::node_process::NodeProcess;

/// Bytes of data in each event.
const EVENT_SIZE: usize = 500;

pub fn client(node: &NodeProcess) -> Client {
    Client::new(node.connection_string.parse().unwrap()).unwrap()
}

/// Random letters, so that compression saves little.
pub fn event() -> EventData {
    let data = Alphanumeric.sample_string(&mut rand::rng(), EVENT_SIZE);
    EventData::binary("Measured", data.into()).id(Uuid::new_v4())
}
