//! The causes of an error.

use std::error::Error;

/// The texts of an error's causes, from the first to the deepest. If an error's
/// text already contains its cause, that cause is left out.
pub fn causes(error: &dyn Error) -> Vec<String> {
    let (mut named, mut texts) = (error.to_string(), Vec::new());
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let text = deeper.to_string();
        if !named.contains(&text) {
            texts.push(text.clone());
            named = text;
        }
        cause = deeper.source();
    }
    texts
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Because {
        text: &'static str,
        source: Box<dyn Error>,
    }

    fn because(text: &'static str, source: impl Into<Box<dyn Error>>) -> Because {
        Because { text, source: source.into() }
    }

    #[test]
    fn the_causes_of_an_error_follow_one_another_and_one_that_was_named_is_left_out() {
        let refused = because("no connection: refused", io::Error::other("refused"));
        assert_eq!(causes(&because("the views are away", refused)), ["no connection: refused"]);
        assert_eq!(causes(&because("the log", because("the disk", io::Error::other("full")))), ["the disk", "full"]);
        assert_eq!(causes(&io::Error::other("alone")), Vec::<String>::new());
    }
}
