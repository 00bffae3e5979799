//! Rules for strings. Each returns the text, or what was found and what is allowed.

use super::limits::{MAX_DOMAIN_LABEL, MAX_EMAIL_LENGTH, MAX_EMAIL_LOCAL_PART, MAX_NAME_LENGTH};
use super::reader::quote;

/// A name for stream names and URLs: lower-case letters, digits and `-`.
pub(super) fn name(text: &str) -> Result<String, String> {
    const ALLOWED: &str =
        "must start with a lower-case letter, followed by lower-case letters, digits and '-', 64 characters at most";
    let alphabet = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let keeps = text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(alphabet);
    if keeps && text.len() <= MAX_NAME_LENGTH {
        Ok(text.to_owned())
    } else {
        Err(format!("{ALLOWED}, found {}", quote(text)))
    }
}

/// The id of something outside Tenuto: printable, not empty, without invisible white space around
/// it.
pub(super) fn id(text: &str, longest: usize) -> Result<String, String> {
    if text.is_empty() {
        return Err(format!("must not be empty: 1 to {longest} characters"));
    }
    let text = printable(text, longest)?;
    if text.trim() == text {
        Ok(text)
    } else {
        Err(format!("must not start or end with white space, found {}", quote(&text)))
    }
}

/// A text for people, on one line. Messages do not repeat the text: it may be personal data.
pub(super) fn printable(text: &str, longest: usize) -> Result<String, String> {
    if let Some((index, strange)) = text.chars().enumerate().find(|(_, c)| !is_printable(*c)) {
        let code = u32::from(strange);
        return Err(format!("must not contain control characters, found U+{code:04X} as character {}", index + 1));
    }
    let length = text.chars().count();
    if length > longest {
        return Err(format!("must be at most {longest} characters, found {length}"));
    }
    Ok(text.to_owned())
}

/// A text must not change how a log or a screen reads. So control characters, line breaks, and
/// marks that turn the direction of text are not printable.
fn is_printable(c: char) -> bool {
    !(c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

/// A mail address as programs write it: no quotes, no comments, no address literal.
pub(super) fn email(text: &str) -> Result<String, String> {
    let text = printable(text, MAX_EMAIL_LENGTH)?;
    if text.len() > MAX_EMAIL_LENGTH {
        return Err(format!("must be at most {MAX_EMAIL_LENGTH} bytes, found {}", text.len()));
    }
    match email_fault(&text) {
        None => Ok(text),
        Some(fault) => Err(format!("must be a mail address such as 'orders@shop.example': {fault}")),
    }
}

fn email_fault(text: &str) -> Option<&'static str> {
    let Some((local, domain)) = text.rsplit_once('@') else { return Some("there is no '@'") };
    if local.is_empty() || local.len() > MAX_EMAIL_LOCAL_PART {
        return Some("1 to 64 bytes must come before the '@'");
    }
    if local.split('.').any(|atom| atom.is_empty() || !atom.chars().all(is_atom_character)) {
        return Some("before the '@', only letters, digits, single dots and !#$%&'*+-/=?^_`{|}~ are allowed");
    }
    let is_label = |label: &str| {
        (1..=MAX_DOMAIN_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    if domain.split('.').all(is_label) {
        None
    } else {
        Some(
            "after the '@', a domain must follow: letters, digits and '-', in parts of 1 to 63 characters, separated by dots",
        )
    }
}

fn is_atom_character(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}
