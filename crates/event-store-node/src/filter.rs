//! Which events of `$all` a reader wants.
//!
//! Expressions may look around (`(?!…)`), because the server's engine supports that: some clients
//! use it by default to leave out the server's own events. Such an expression can take very long on
//! some texts. So its steps are bounded, and beyond the bound the read fails.

use fancy_regex::{Regex, RegexBuilder};

/// How many steps an expression may backtrack on one text. An expression without look-around never
/// backtracks.
const MAX_BACKTRACKS: usize = 100_000;

#[derive(Debug, Clone)]
pub(crate) enum Filter {
    Everything,
    /// The events of one stream.
    Stream(String),
    OnStream(Pattern),
    OnEventType(Pattern),
}

#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    Prefixes(Vec<String>),
    Regex(Regex),
}

/// The expression exceeded its bound on a text.
#[derive(Debug)]
pub(crate) struct TooHard;

impl Filter {
    pub(crate) fn passes(&self, stream: &str, event_type: &str) -> Result<bool, TooHard> {
        match self {
            Self::Everything => Ok(true),
            Self::Stream(name) => Ok(stream == name),
            Self::OnStream(pattern) => pattern.matches(stream),
            Self::OnEventType(pattern) => pattern.matches(event_type),
        }
    }
}

impl Pattern {
    /// The protocol has both in one message. An expression that is not empty takes precedence.
    pub(crate) fn new(regex: &str, prefixes: Vec<String>) -> Result<Self, fancy_regex::Error> {
        if regex.is_empty() {
            return Ok(Self::Prefixes(prefixes));
        }
        RegexBuilder::new(regex).backtrack_limit(MAX_BACKTRACKS).build().map(Self::Regex)
    }

    fn matches(&self, text: &str) -> Result<bool, TooHard> {
        match self {
            Self::Prefixes(prefixes) => Ok(prefixes.iter().any(|prefix| text.starts_with(prefix))),
            Self::Regex(regex) => regex.is_match(text).map_err(|_| TooHard),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, Pattern};

    #[test]
    fn an_expression_takes_precedence_over_prefixes() {
        let filter = Filter::OnStream(Pattern::new("^order-[0-9]+$", vec!["x".into()]).unwrap());
        assert!(filter.passes("order-1", "").unwrap());
        assert!(!filter.passes("x", "").unwrap());
        assert!(!filter.passes("order-a", "order-1").unwrap());
    }

    #[test]
    fn an_event_matches_if_any_of_several_prefixes_does() {
        let filter = Filter::OnEventType(Pattern::new("", vec!["Order".into(), "Payment".into()]).unwrap());
        assert!(filter.passes("", "OrderPlaced").unwrap());
        assert!(filter.passes("", "PaymentTaken").unwrap());
        assert!(!filter.passes("Order", "$metadata").unwrap());
    }

    #[test]
    fn an_invalid_expression_is_refused() {
        assert!(Pattern::new("(", Vec::new()).is_err());
    }

    #[test]
    fn an_expression_may_look_ahead() {
        let filter = Filter::OnEventType(Pattern::new(r"^(?!(\$.+$|Result$))", Vec::new()).unwrap());
        assert!(filter.passes("", "OrderPlaced").unwrap());
        assert!(filter.passes("", "Results").unwrap());
        assert!(!filter.passes("", "$metadata").unwrap());
        assert!(!filter.passes("", "Result").unwrap());
    }

    #[test]
    fn an_expression_that_would_run_for_ever_is_given_up() {
        let filter = Filter::OnStream(Pattern::new("(a|b|ab)*(?>c)", Vec::new()).unwrap());
        assert!(filter.passes("abc", "").unwrap());
        assert!(filter.passes(&"ab".repeat(100), "").is_err());
    }
}
