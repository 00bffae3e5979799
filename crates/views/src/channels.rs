//! The channels of Postgres on which the projector announces what it has written.

/// Each committed batch, with the new position of the views.
pub const MOVED: &str = "tenuto_views";

/// The orders of a batch that have ended, or are stuck: their ids, separated by spaces.
pub const ENDED: &str = "tenuto_ends";

/// A rebuild announces its batches here, where no process listens.
pub(crate) const UNHEARD: &str = "tenuto_unheard";
