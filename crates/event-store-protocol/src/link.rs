//! Links: events that point to another event.

/// The type of a link.
pub const LINK_TYPE: &str = "$>";

/// The revision and the stream to which a link with this data points. The data is
/// `REVISION@STREAM`.
pub fn link_target(data: &[u8]) -> Option<(u64, &str)> {
    let (revision, stream) = std::str::from_utf8(data).ok()?.split_once('@')?;
    Some((revision.parse().ok()?, stream))
}
