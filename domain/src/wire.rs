//! How events are written in the log.
