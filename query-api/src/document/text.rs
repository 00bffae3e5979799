//! A document as a sequence of tokens: how many, and how deep their brackets nest. No recursion,
//! and one pass.
//!
//! A bracket within a string, a block string or a comment does not count. The parser reports all
//! other faults of the text.

use async_graphql::Pos;

use super::excess::{Excess, MAX_NAME_BYTES, MAX_NESTING, MAX_TOKENS};

/// Counts the tokens of a text, if it is within the bounds.
pub fn check(text: &str) -> Result<usize, (Excess, Pos)> {
    let mut reader = Reader { rest: text.as_bytes(), text: text.as_bytes() };
    let (mut tokens, mut depth) = (0, 0_usize);
    while let Some(start) = reader.next_token() {
        let here = |excess| (excess, position(text, start));
        tokens += 1;
        if tokens > MAX_TOKENS {
            return Err(here(Excess::Tokens));
        }
        match reader.token() {
            Token::Opening => depth += 1,
            Token::Closing => depth = depth.saturating_sub(1),
            Token::Name(length) if length > MAX_NAME_BYTES => return Err(here(Excess::Name(length))),
            Token::EndlessBlock => return Err(here(Excess::BlockString)),
            Token::Name(_) | Token::Other => {}
        }
        if depth > MAX_NESTING {
            return Err(here(Excess::Nesting));
        }
    }
    Ok(tokens)
}

enum Token {
    Opening,
    Closing,
    /// A name, keyword or number, with its length.
    Name(usize),
    /// The parser would take its first quotes for an empty string, and read on in what looks like
    /// its text.
    EndlessBlock,
    Other,
}

struct Reader<'a> {
    text: &'a [u8],
    rest: &'a [u8],
}

impl Reader<'_> {
    /// Skips the text between tokens. Returns where the next token begins.
    fn next_token(&mut self) -> Option<usize> {
        loop {
            match self.rest {
                [b' ' | b'\t' | b'\n' | b'\r' | b',', rest @ ..] | [0xEF, 0xBB, 0xBF, rest @ ..] => self.rest = rest,
                [b'#', ..] => self.skip_while(|byte| byte != b'\n' && byte != b'\r'),
                [] => return None,
                _ => return Some(self.text.len() - self.rest.len()),
            }
        }
    }

    /// Takes the token that begins here.
    fn token(&mut self) -> Token {
        match self.rest {
            [b'"', b'"', b'"', ..] => self.block_string(),
            [b'"', ..] => self.string(),
            [b'{' | b'[' | b'(', rest @ ..] => {
                self.rest = rest;
                Token::Opening
            }
            [b'}' | b']' | b')', rest @ ..] => {
                self.rest = rest;
                Token::Closing
            }
            [b'.', b'.', b'.', rest @ ..] | [_, rest @ ..] if !is_of_word(self.rest[0]) => {
                self.rest = rest;
                Token::Other
            }
            _ => {
                let before = self.rest.len();
                self.skip_while(is_of_word);
                Token::Name(before - self.rest.len())
            }
        }
    }

    /// A string ends at its quotes; one that the line ends before is not one, and the parser stops
    /// there.
    fn string(&mut self) -> Token {
        self.rest = &self.rest[1..];
        loop {
            match self.rest {
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    return Token::Other;
                }
                [] | [b'\n' | b'\r', ..] => return Token::Other,
                [b'\\', _, rest @ ..] | [_, rest @ ..] => self.rest = rest,
            }
        }
    }

    fn block_string(&mut self) -> Token {
        self.rest = &self.rest[3..];
        loop {
            match self.rest {
                [b'"', b'"', b'"', rest @ ..] => {
                    self.rest = rest;
                    return Token::Other;
                }
                [] => return Token::EndlessBlock,
                [b'\\', b'"', b'"', b'"', rest @ ..] | [_, rest @ ..] => self.rest = rest,
            }
        }
    }

    fn skip_while(&mut self, goes_on: impl Fn(u8) -> bool) {
        let length = self.rest.iter().position(|byte| !goes_on(*byte)).unwrap_or(self.rest.len());
        self.rest = &self.rest[length..];
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Line and column, each from 1, of a place in the text.
fn position(text: &str, at: usize) -> Pos {
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Pos { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}
