//! EventStoreDB: the client that the other crates use, and the embedded node.
