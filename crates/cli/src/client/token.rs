//! The credentials that a command sends: an API key, or a token of an OIDC issuer. They come from a
//! file or from the environment, and never from the command line, which other users can read.

use std::path::Path;

use reqwest::header::HeaderValue;
use secrets::{ExposeSecret, in_file};

use crate::CommandError;

const VARIABLE: &str = "TENUTO_TOKEN";

/// The value of `Authorization`, if there are credentials. It does not print itself.
pub fn read(file: Option<&Path>) -> Result<Option<HeaderValue>, CommandError> {
    match file {
        Some(file) => {
            let from = file.display().to_string();
            let text = in_file(file)
                .map_err(|fault| CommandError::Token { from: from.clone(), reason: format!("it {fault}") })?;
            header(&from, text.expose_secret()).map(Some)
        }
        None => std::env::var(VARIABLE).ok().map(|text| header(VARIABLE, &text)).transpose(),
    }
}

/// Whether the environment has credentials.
pub fn is_in_environment() -> bool {
    std::env::var_os(VARIABLE).is_some()
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
