//! The identity of one attempt.

use super::event::Direction;
use crate::Timestamp;
use crate::ids::StepId;

/// Identifies one attempt of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptId {
    /// The step.
    pub step: StepId,
    /// Do or undo.
    pub direction: Direction,
    /// From 1, in that direction. An attempt that was never sent shares its number with the next
    /// one.
    pub number: u32,
    /// When it was recorded. The number and this time together identify the attempt.
    pub recorded_at: Timestamp,
}
