//! Which events of `$all` a reader wants.
//!
//! Expressions may look around (`(?!…)`): the server's own engine can, and there are clients that do so when they are not
//! asked for anything, to leave out the server's events. Such an expression can take very long on some texts; how long is
//! bounded, and beyond that it is the reader's fault and not the node's burden.

use fancy_regex::{Regex, RegexBuilder};

/// Steps that an expression may take back on one text; one that never looks around takes none.
const MAX_BACKTRACKS: usize = 100_000;

#[derive(Debug, Clone)]
pub(crate) enum Filter {
    Everything,
    /// Those of one stream.
    Stream(String),
    OnStream(Pattern),
    OnEventType(Pattern),
}

#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    Prefixes(Vec<String>),
    Regex(Regex),
}

/// An expression took too long on a text to say whether it matches.
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
    /// The protocol has both in one message; an expression that is not empty is the one that counts.
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
    fn an_expression_goes_before_prefixes() {
        let filter = Filter::OnStream(Pattern::new("^order-[0-9]+$", vec!["x".into()]).unwrap());
        assert!(filter.passes("order-1", "").unwrap());
        assert!(!filter.passes("x", "").unwrap());
        assert!(!filter.passes("order-a", "order-1").unwrap());
    }

    #[test]
    fn any_of_several_prefixes_will_do() {
        let filter = Filter::OnEventType(Pattern::new("", vec!["Order".into(), "Payment".into()]).unwrap());
        assert!(filter.passes("", "OrderPlaced").unwrap());
        assert!(filter.passes("", "PaymentTaken").unwrap());
        assert!(!filter.passes("Order", "$metadata").unwrap());
    }

    #[test]
    fn a_wrong_expression_is_refused() {
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
    fn an_expression_that_would_take_for_ever_is_given_up() {
        let filter = Filter::OnStream(Pattern::new("(a|b|ab)*(?>c)", Vec::new()).unwrap());
        assert!(filter.passes("abc", "").unwrap());
        assert!(filter.passes(&"ab".repeat(100), "").is_err());
    }
}
