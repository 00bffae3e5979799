//! A server to test against.

use event_store::{Appended, EventStore, Expected, Filter, NewEvent, Subscription};
use event_store_node::{Node, NodeHandle, NodeOptions};
use tempfile::TempDir;

use super::support::raw;

/// A server, our client for it, and another client for calls that ours does not offer.
pub struct World {
    pub store: EventStore,
    pub raw: eventstore::Client,
    pub connection_string: String,
    _node: Option<(NodeHandle, TempDir)>,
}

/// The server that the environment names, else an embedded node of this test.
pub async fn world() -> World {
    if let Ok(connection_string) = std::env::var("TENUTO_EVENTSTORE") {
        return connected(&connection_string, None);
    }
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let embedded = crate::EMBEDDED.then(|| EventStore::in_process(node.in_process()).unwrap());
    let world = connected(&node.connection_string(), Some((node, folder)));
    World { store: embedded.unwrap_or(world.store), ..world }
}

fn connected(connection_string: &str, node: Option<(NodeHandle, TempDir)>) -> World {
    World {
        store: EventStore::connect(connection_string).unwrap(),
        raw: raw(connection_string),
        connection_string: connection_string.into(),
        _node: node,
    }
}

impl World {
    pub async fn append(&self, stream: &str, expected: Expected, events: Vec<NewEvent>) -> Appended {
        self.store.append(stream, expected, events).await.unwrap()
    }

    /// Subscribes to the events of one stream, and of streams with the same prefix, from now on.
    pub async fn subscribe_from_here(&self, filter: Filter) -> Subscription {
        let head = self.store.head().await.unwrap();
        self.store.subscribe_all(filter, head)
    }
}
