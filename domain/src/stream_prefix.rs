//! The prefix of the names of orders' streams. It is a setting of the log, because other
//! applications use `order-…`, too.
//!
//! A process has one log, and so one prefix. It reads the prefix from the log before it reads or
//! writes an order, and never changes it: no function could work with two.

use std::sync::OnceLock;

use crate::streams;

/// The default prefix.
pub const DEFAULT: &str = "order-";
/// The limit for a prefix, in bytes.
pub const MAX_LENGTH: usize = 64;

static IN_USE: OnceLock<String> = OnceLock::new();

/// Why a text is not a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrefix {
    /// Too short or too long.
    #[error("a stream prefix must have 2 to {MAX_LENGTH} characters")]
    Length,
    /// A character that Tenuto's stream names do not use.
    #[error("a stream prefix must consist of letters, digits, '.', '_' and '-', found {0:?}")]
    Character(char),
    /// It has no dash at its end. The first dash ends a server's category of streams.
    #[error("a stream prefix must end in '-', as order- does")]
    End,
    /// It begins like other streams of Tenuto, or they begin like it.
    #[error("a stream prefix must not begin like {0}, which Tenuto uses for something else")]
    Reserved(&'static str),
}

/// The process uses another prefix already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this process keeps orders in streams {used:?}…, and cannot change to {wanted:?}…")]
pub struct InUse {
    used: String,
    wanted: String,
}

/// Whether a text can be a prefix.
pub fn check(text: &str) -> Result<(), InvalidPrefix> {
    if !(2..=MAX_LENGTH).contains(&text.len()) {
        return Err(InvalidPrefix::Length);
    }
    if let Some(strange) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || "._-".contains(*c))) {
        return Err(InvalidPrefix::Character(strange));
    }
    if !text.ends_with('-') {
        return Err(InvalidPrefix::End);
    }
    match streams::ALL.into_iter().find(|reserved| reserved.starts_with(text) || text.starts_with(reserved)) {
        Some(reserved) => Err(InvalidPrefix::Reserved(reserved)),
        None => Ok(()),
    }
}

/// Sets the prefix of this process.
pub fn set(prefix: &str) -> Result<(), InUse> {
    let used = IN_USE.get_or_init(|| prefix.to_owned());
    if used == prefix { Ok(()) } else { Err(InUse { used: used.clone(), wanted: prefix.to_owned() }) }
}

/// The prefix of this process.
pub fn get() -> &'static str {
    IN_USE.get().map_or(DEFAULT, String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_must_not_collide_with_other_streams_of_tenuto() {
        for good in [DEFAULT, "shop-order-", "a-", "Shop.1_order-"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", InvalidPrefix::Length),
            ("-", InvalidPrefix::Length),
            (&"a".repeat(65), InvalidPrefix::Length),
            ("order", InvalidPrefix::End),
            ("$order-", InvalidPrefix::Character('$')),
            ("or der-", InvalidPrefix::Character(' ')),
            ("key-", InvalidPrefix::Reserved("key-")),
            ("replies-shop-", InvalidPrefix::Reserved("replies-")),
            ("tenuto-", InvalidPrefix::Reserved("tenuto-log")),
        ] {
            assert_eq!(check(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn a_process_keeps_its_first_prefix() {
        set(DEFAULT).unwrap();
        set(DEFAULT).unwrap();
        assert!(set("shop-").unwrap_err().to_string().contains("order-"));
        assert_eq!(get(), DEFAULT);
    }
}
