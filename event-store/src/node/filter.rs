//! Which events of `$all` a reader wants.

use regex::Regex;

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

impl Filter {
    pub(crate) fn passes(&self, stream: &str, event_type: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Stream(name) => stream == name,
            Self::OnStream(pattern) => pattern.matches(stream),
            Self::OnEventType(pattern) => pattern.matches(event_type),
        }
    }
}

impl Pattern {
    /// The protocol has both in one message; an expression that is not empty is the one that counts.
    pub(crate) fn new(regex: &str, prefixes: Vec<String>) -> Result<Self, regex::Error> {
        if regex.is_empty() { Ok(Self::Prefixes(prefixes)) } else { Regex::new(regex).map(Self::Regex) }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Prefixes(prefixes) => prefixes.iter().any(|prefix| text.starts_with(prefix)),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, Pattern};

    #[test]
    fn an_expression_goes_before_prefixes() {
        let filter = Filter::OnStream(Pattern::new("^order-[0-9]+$", vec!["x".into()]).unwrap());
        assert!(filter.passes("order-1", ""));
        assert!(!filter.passes("x", ""));
        assert!(!filter.passes("order-a", "order-1"));
    }

    #[test]
    fn any_of_several_prefixes_will_do() {
        let filter = Filter::OnEventType(Pattern::new("", vec!["Order".into(), "Payment".into()]).unwrap());
        assert!(filter.passes("", "OrderPlaced"));
        assert!(filter.passes("", "PaymentTaken"));
        assert!(!filter.passes("Order", "$metadata"));
    }

    #[test]
    fn a_wrong_expression_is_refused() {
        assert!(Pattern::new("(", Vec::new()).is_err());
    }
}
