//! Error answers of the server (RFC 9457).

use serde::Deserialize;

/// The most faults that are shown.
const MAX_PLACES: usize = 5;

/// A problem document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The fault of the whole request.
    pub detail: String,
    /// The faults of its parts.
    pub errors: Vec<Fault>,
}

/// One fault of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Fault {
    /// Where (RFC 6901).
    pub pointer: String,
    /// The fault.
    pub detail: String,
}

impl Problem {
    /// The problem in one line, with the first faults.
    pub fn in_words(&self) -> String {
        if self.errors.is_empty() {
            return self.detail.clone();
        }
        let told = self.errors.iter().take(MAX_PLACES).map(|fault| match fault.pointer.as_str() {
            "" => fault.detail.clone(),
            pointer => format!("{pointer}: {}", fault.detail),
        });
        let more = self.errors.len().saturating_sub(MAX_PLACES);
        let parts: Vec<String> = told.chain((more > 0).then(|| format!("and {more} more"))).collect();
        parts.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_the_places_it_names() {
        let fault = |index: usize| Fault { pointer: format!("/lines/{index}"), detail: "is wrong".into() };
        let problem = |errors| Problem { detail: "many".into(), errors };
        assert_eq!(problem(vec![]).in_words(), "many");
        assert_eq!(problem(vec![fault(0)]).in_words(), "/lines/0: is wrong");
        assert_eq!(problem(vec![Fault { detail: "all".into(), ..Fault::default() }]).in_words(), "all");
        assert!(problem((0..9).map(fault).collect()).in_words().ends_with("/lines/4: is wrong; and 4 more"));
    }
}
