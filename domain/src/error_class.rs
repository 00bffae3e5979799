//! The class of an error: what many errors of one cause have in common. Numbers, ids and quoted
//! parts differ from order to order, and are left out.

/// The longest class, in characters. What follows in an error rarely tells causes apart.
const MAX: usize = 200;
/// What stands in place of a number or an id.
const ID: char = '#';
/// What stands in place of a quoted part.
const QUOTED: char = '…';
/// The shortest word of hexadecimal digits that is an id also without a decimal digit.
const MIN_HEX: usize = 16;

/// The class of an error.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorClass {
    text: String,
    /// Whether a space stands for other white space, so that no error has a part with a space.
    is_respaced: bool,
}

impl ErrorClass {
    /// The class of this error.
    pub fn of(error: &str) -> Self {
        let (mut class, mut is_respaced) = (String::new(), false);
        let mut rest = error;
        while let Some(first) = rest.chars().next() {
            if class.chars().count() >= MAX {
                break;
            }
            let (part, after) = if let Some((quoted, after)) = quoted(rest, class.chars().last()) {
                (quoted, after)
            } else if first.is_alphanumeric() {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(rest.len());
                (without_id(&rest[..end]), &rest[end..])
            } else if first.is_whitespace() || first.is_control() {
                let after = rest.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
                is_respaced |= rest.len() != after.len() + 1 || first != ' ';
                (" ".to_owned(), after)
            } else {
                (first.to_string(), &rest[first.len_utf8()..])
            };
            class.push_str(&part);
            rest = after;
        }
        Self { text: class.trim().chars().take(MAX).collect(), is_respaced }
    }

    /// Its text, with `#` for numbers and ids, and `…` for quoted parts.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The longest part of the text that each error of the class has; `None`: no part is long
    /// enough to tell it from others.
    pub fn common_part(&self) -> Option<&str> {
        const SHORTEST: usize = 8;
        let is_between = |c: char| c == ID || c == QUOTED || (self.is_respaced && c == ' ');
        let parts = self.text.split(is_between).map(str::trim);
        let longest = parts.max_by_key(|part| part.chars().count())?;
        (longest.chars().count() >= SHORTEST).then_some(longest)
    }
}

/// A quoted part at the beginning of a text, as the class has it, and the rest. An apostrophe
/// within a word is no quote.
fn quoted(text: &str, before: Option<char>) -> Option<(String, &str)> {
    let open = text.chars().next()?;
    let close = match open {
        '"' | '`' => open,
        '\'' if before.is_none_or(|before| !before.is_alphanumeric()) => open,
        '“' => '”',
        '«' => '»',
        _ => return None,
    };
    let within = &text[open.len_utf8()..];
    let end = within.find(close)?;
    Some((format!("{open}{QUOTED}{close}"), &within[end + close.len_utf8()..]))
}

/// A word; `#` for a number or an id. An HTTP status of an error stays: it tells causes apart.
fn without_id(word: &str) -> String {
    let is_status = word.len() == 3 && matches!(word.parse(), Ok(400..=599_u16));
    let has_digit = word.chars().any(|c| c.is_ascii_digit());
    let is_hex = word.len() >= MIN_HEX && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if !is_status && (has_digit || is_hex) { ID.to_string() } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ids_and_quoted_parts_are_left_out() {
        for (error, class) in [
            (
                "payments.charge is held for an operator: 401 Unauthorized: the key expired at 2026-01-31T09:00:00Z",
                "payments.charge is held for an operator: 401 Unauthorized: the key expired at #:#:#",
            ),
            ("no SKU \"A-1\" in 'Lyon', can't ship", "no SKU \"…\" in '…', can't ship"),
            ("request 0190c2f1-7f1e-7a11-8000-000000000001 of order 10248", "request # of order #"),
            ("trace deadbeefdeadbeefdeadbeef ended", "trace # ended"),
            ("503 Service\n  Unavailable", "503 Service Unavailable"),
            ("line 12, 503", "line #, 503"),
            ("an \"open quote", "an \"open quote"),
            ("\u{201c}yes\u{201d} «oui» `code`", "\u{201c}…\u{201d} «…» `…`"),
            ("", ""),
        ] {
            assert_eq!(ErrorClass::of(error).as_str(), class, "{error}");
        }
        assert_eq!(ErrorClass::of(&"ü".repeat(1_000)).as_str().chars().count(), MAX);
    }

    #[test]
    fn the_common_part_is_the_longest_text_between_what_differs() {
        let class = ErrorClass::of("order 10248: the account \"4711\" is closed since 2020");
        assert_eq!(class.common_part(), Some("\" is closed since"));
        assert_eq!(ErrorClass::of("503 \"x\"").common_part(), None);
    }
}
