//! End to end: the real binary, a real log, real Postgres, real HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod architecture;
mod as_of;
mod audit;
mod book;
mod bounds;
mod browser;
mod by_events;
mod by_events_many;
mod callbacks;
mod configuration;
mod doctor;
mod drills;
mod drills_of_roles;
mod erasure;
mod event_store;
mod faults;
mod fresh;
mod front_door;
mod frozen;
mod heavy;
mod leases;
mod ledger;
mod live;
mod many;
mod master_key;
mod northwind;
mod nothing_to_check;
mod open;
mod openapi;
mod operators;
mod parts;
mod past;
mod prefix;
mod probes;
mod process;
mod reset;
mod restarts;
mod secrets;
mod secured;
mod security;
mod service_manager;
mod settings;
mod shown;
mod slow;
#[path = "../../query-api/tests/it/socket.rs"]
mod socket;
mod starting;
mod supervised;
mod three_ways;
mod what_if;
mod workflow_files;
mod world;
mod wrong_requests;
