//! The write side: the command endpoint, and the orchestrator that drives orders.
