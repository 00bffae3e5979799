//! "Did you mean …": the known name nearest to an unknown one.

/// A message that a value has no such field, with the fields that it has.
pub(crate) fn has_no_field(of: &str, field: &str, known: &[&str]) -> String {
    let suggestion = did_you_mean(field, known.iter().copied());
    format!("{of} has no '{field}'; it has {}{suggestion}", known.join(", "))
}

/// The nearest known name, as the end of a sentence; empty if no name is near.
pub fn did_you_mean<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(unknown, known).map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
}

/// The known name that is nearest to an unknown one, whatever their case; `None`: none is near.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let unknown = unknown.to_lowercase();
    let length = unknown.chars().count();
    let furthest = (length / 3).clamp(1, 5);
    let nearest = known
        .into_iter()
        .filter(|name| name.chars().count().abs_diff(length) <= furthest)
        .map(|name| (strsim::damerau_levenshtein(&unknown, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= furthest)
        .min();
    nearest.map(|(_, name)| name)
}
