//! The channels of Postgres on which the projector announces what it has written.

/// Each committed batch, with the position that the views have come to.
pub const MOVED: &str = "tenuto_views";

/// Those orders of a batch that have ended, or are stuck: their ids, with a space between two.
pub const ENDED: &str = "tenuto_ends";
