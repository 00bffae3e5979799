//! The deterministic simulation: the real decider, the real driver and the real to-do loop on a
//! log, participants, clocks and a network that a seed makes up, with everything that goes wrong in
//! a cluster, and invariants that are checked after each run. A run takes milliseconds, covers
//! weeks, and is the same each time.
//!
//! ```text
//! cargo test -p command-handler -- simulation                   # some thousand seeds
//! TENUTO_SEED=4711 cargo test -p command-handler -- simulation  # one seed, told in full
//! TENUTO_SEEDS=200000 cargo test --release -p command-handler -- simulation --nocapture
//! ```

mod bug;
mod clients;
mod definitions;
mod deployment;
mod dice;
mod faults;
mod invariants;
mod keys;
mod letters;
mod list;
mod members;
mod network;
mod people;
mod personal;
mod ports;
mod record;
mod response;
mod run;
mod services;
#[allow(clippy::module_inception, reason = "it is what the module is about")]
mod simulation;
mod sizes;
mod tests;
