//! Orders, workflows and the decisions about them, pure: no clock, no randomness, no IO.
