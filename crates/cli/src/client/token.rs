//! The credentials that a command sends: an API key, or a token of an OIDC issuer. They come from a
//! file or from the environment, and never from the command line, which other users can read.

use std::path::Path;

use reqwest::header::HeaderValue;

use crate::CommandError;

const VARIABLE: &str = "TENUTO_TOKEN";
/// The largest file, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// The value of `Authorization`, if there are credentials. It does not print itself.
pub fn read(file: Option<&Path>) -> Result<Option<HeaderValue>, CommandError> {
    let (from, text) = match file {
        Some(file) => (file.display().to_string(), Some(in_file(file)?)),
        None => (VARIABLE.to_owned(), std::env::var(VARIABLE).ok()),
    };
    text.map(|text| header(&from, &text)).transpose()
}

fn in_file(file: &Path) -> Result<String, CommandError> {
    let wrong = |reason: String| CommandError::Token { from: file.display().to_string(), reason };
    let size = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?.len();
    if size > MAX_BYTES {
        return Err(wrong(format!("it has more than {MAX_BYTES} bytes")));
    }
    std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))
}

fn header(from: &str, text: &str) -> Result<HeaderValue, CommandError> {
    let token = text.trim();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::try_from(format!("Bearer {token}")).ok().filter(|_| is_token);
    let mut value = value.ok_or_else(|| CommandError::Token {
        from: from.to_owned(),
        reason: "it must be one API key or token, in one line".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_is_read_and_does_not_print_itself() {
        let value = header("a file", " tnt_abc_def\n").unwrap();
        assert_eq!(value.as_bytes(), b"Bearer tnt_abc_def");
        assert!(!format!("{value:?}").contains("tnt_"));
        for text in ["", " \n", "a b", "a\nb", "ä"] {
            assert!(header("a file", text).unwrap_err().to_string().contains("a file"), "{text:?}");
        }
    }
}
