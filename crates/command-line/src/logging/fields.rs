//! The names of the fields of an event.

/// The bridge from the crate `log` repeats the place of an event, which the line has already.
pub fn is_of_the_bridge(name: &str) -> bool {
    name.starts_with("log.")
}

pub fn plain_name(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}
