//! Suggestions for misspelled names.

use domain::workflow::suggest::nearest;

/// `, did you mean "state"?`, if one of the names is similar.
pub fn did_you_mean(unknown: &str, known: &[&str]) -> String {
    let nearest = nearest(unknown, known.iter().copied());
    nearest.map(|name| format!(", did you mean {name:?}?")).unwrap_or_default()
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
