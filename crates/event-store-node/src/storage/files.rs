//! The names of the engine's files.

/// The files by which the engine recognises its folder: the last one that it writes when it creates
/// a folder, and the one that it locks.
pub(super) const ENGINE_VERSION: &str = "version";
pub(super) const ENGINE_LOCK: &str = "lock";
