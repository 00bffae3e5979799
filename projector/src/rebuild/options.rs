//! The options of a rebuild.

use views::View;

/// Which views to rebuild, and how.
#[derive(Debug, Clone)]
pub struct RebuildOptions {
    /// The views.
    pub views: Vec<View>,
    /// Whether only to report how the live views differ, instead of replacing them.
    pub only_check: bool,
    /// Whether to start again after an interrupted rebuild, instead of resuming it.
    pub restart: bool,
    /// Whether the views may be rebuilt from another log than the one that they were made from.
    pub adopt: bool,
}
