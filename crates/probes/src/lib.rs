//! The probes of a role: `/livez` and `/readyz` ([`health`]), and `/metrics` ([`metrics`]).

pub mod health;
pub mod metrics;
