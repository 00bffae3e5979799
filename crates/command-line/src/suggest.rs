//! What somebody may have meant.

/// `, did you mean "state"?`, if one of the names is near enough.
pub fn did_you_mean(unknown: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&unknown.to_lowercase(), &name.to_lowercase()), name))
        .min()
        .filter(|(distance, name)| *distance <= name.chars().count() / 3);
    nearest.map(|(_, name)| format!(", did you mean {name:?}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_suggested() {
        assert_eq!(did_you_mean("sttae", &["status", "state"]), ", did you mean \"state\"?");
        assert_eq!(did_you_mean("colour", &["status", "state"]), "");
        assert_eq!(did_you_mean("", &["status"]), "");
    }
}
