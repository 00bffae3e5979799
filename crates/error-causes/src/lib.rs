//! The causes of an error, as texts.

use std::error::Error;

/// The texts of an error's causes, from the first to the deepest. Some errors name their cause
/// themselves: a cause that stands in the texts before it is left out.
pub fn causes(error: &dyn Error) -> Vec<String> {
    walk(error).1
}

/// The text of an error and of its causes, in one line.
pub fn with_causes(error: &dyn Error) -> String {
    walk(error).0
}

fn walk(error: &dyn Error) -> (String, Vec<String>) {
    let (mut whole, mut texts) = (error.to_string(), Vec::new());
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let text = deeper.to_string();
        if !whole.contains(&text) {
            whole = format!("{whole}: {text}");
            texts.push(text);
        }
        cause = deeper.source();
    }
    (whole, texts)
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

    #[test]
    fn an_error_and_its_causes_make_one_line() {
        let unread = because("the log", because("the disk", io::Error::other("full")));
        assert_eq!(with_causes(&unread), "the log: the disk: full");
        assert_eq!(with_causes(&io::Error::other("alone")), "alone");
    }
}
