//! A private Postgres cluster: found or fetched, initialised, started, watched and stopped.
