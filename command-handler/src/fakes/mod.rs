//! The orchestrator on simulated ports: a log in memory that fails as told, participants that
//! answer as told, a clock that is moved by hand. What takes a cluster, bad luck and hours
//! elsewhere takes a thread and milliseconds here.

mod clock;
mod gate;
pub mod keys;
pub mod life;
pub mod log;
mod participants;
pub mod watched;
pub mod world;

mod calls_tests;
mod crash_tests;
mod driving_tests;
mod erasure_tests;
mod idle_orders_tests;
mod incomplete_tests;
mod keyless_tests;
mod outage_tests;
mod parallel_tests;
mod placing_tests;
mod replies_tests;
mod several_instances_tests;
mod shutdown_tests;
mod signal_tests;
mod turns_tests;
