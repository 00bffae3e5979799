//! Checks the characters of an expression before it is parsed.
//!
//! The parser recurses once for each bracket, and the evaluation once for each link of a chain
//! (`a.b.c`, `a + b + c`). This check bounds both, and needs no stack. To count correctly, it must
//! read literals exactly as the parser does. So it also refuses a literal that the parser could not
//! read.

use super::{ExpressionError, TextPosition};

/// The limit for a text, in bytes.
const MAX_LENGTH: usize = 4096;
/// The limit for nested brackets.
const MAX_NESTING: usize = 12;
/// The limit for operators, selections, calls and brackets in total.
const MAX_LINKS: usize = 200;

/// Refuses a text beyond the limits.
pub(super) fn check(source: &str) -> Result<(), ExpressionError> {
    if source.len() > MAX_LENGTH {
        let reason = format!("is longer than {MAX_LENGTH} bytes");
        return Err(ExpressionError::new(TextPosition::START, reason));
    }
    if source.trim().is_empty() {
        return Err(ExpressionError::new(TextPosition::START, "is empty"));
    }
    let mut scan = Scan { characters: source.chars().collect(), at: 0, nesting: 0, links: 0 };
    scan.run().map_err(|reason| ExpressionError::new(TextPosition::of_character(source, scan.at), reason))
}

struct Scan {
    characters: Vec<char>,
    at: usize,
    nesting: usize,
    links: usize,
}

impl Scan {
    fn run(&mut self) -> Result<(), String> {
        while let Some(character) = self.peek(0) {
            match character {
                '"' | '\'' => self.literal(false)?,
                '/' if self.peek(1) == Some('/') => self.skip_while(|c| c != '\n'),
                c if c.is_ascii_alphabetic() || c == '_' => self.word()?,
                c if c.is_ascii_digit() || c.is_whitespace() => self.at += 1,
                c => self.sign(c)?,
            }
        }
        Ok(())
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn skip_while(&mut self, keep: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(&keep) {
            self.at += 1;
        }
    }

    /// A name, or the prefix of a literal.
    fn word(&mut self) -> Result<(), String> {
        let start = self.at;
        self.skip_while(|c| c.is_ascii_alphanumeric() || c == '_');
        let word: String = self.characters[start..self.at].iter().collect::<String>().to_ascii_lowercase();
        match word.as_str() {
            "r" | "br" if matches!(self.peek(0), Some('"' | '\'')) => self.literal(true),
            "in" => self.link(),
            _ => Ok(()),
        }
    }

    fn sign(&mut self, sign: char) -> Result<(), String> {
        if matches!(sign, '(' | '[' | '{') {
            self.nesting += 1;
            if self.nesting > MAX_NESTING {
                return Err(format!("is nested more than {MAX_NESTING} deep"));
            }
        } else if matches!(sign, ')' | ']' | '}') {
            self.nesting = self.nesting.saturating_sub(1);
        }
        if !matches!(sign, ')' | ']' | '}' | ',' | ':') {
            self.link()?;
        }
        self.at += 1;
        Ok(())
    }

    fn link(&mut self) -> Result<(), String> {
        self.links += 1;
        if self.links > MAX_LINKS { Err(format!("has more than {MAX_LINKS} operators")) } else { Ok(()) }
    }

    /// A literal in quotes, with its end.
    fn literal(&mut self, raw: bool) -> Result<(), String> {
        let Some(quote) = self.peek(0) else { return Ok(()) };
        let triple = self.peek(1) == Some(quote) && self.peek(2) == Some(quote);
        let start = self.at;
        self.at += if triple { 3 } else { 1 };
        loop {
            match self.peek(0) {
                Some(c) if c == quote && !triple => break self.at += 1,
                Some(c) if c == quote && self.peek(1) == Some(quote) && self.peek(2) == Some(quote) => {
                    break self.at += 3;
                }
                Some('\n' | '\r') if !triple => return self.unterminated(start, quote),
                Some('\\') if !raw => self.escape()?,
                Some(_) => self.at += 1,
                None => return self.unterminated(start, quote),
            }
        }
        Ok(())
    }

    fn unterminated(&mut self, start: usize, quote: char) -> Result<(), String> {
        self.at = start;
        Err(format!("has a {quote} without an end"))
    }

    fn escape(&mut self) -> Result<(), String> {
        let is_octal = |c: char| matches!(c, '0'..='7');
        let is_hexadecimal = |c: char| c.is_ascii_hexdigit();
        let digits =
            |count: usize, allowed: fn(char) -> bool| (2..2 + count).all(|n| self.peek(n).is_some_and(allowed));
        let length = match self.peek(1) {
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '"' | '\'' | '\\' | '?' | '`') => 2,
            Some('0'..='3') if digits(2, is_octal) => 4,
            Some('x' | 'X') if digits(2, is_hexadecimal) => 4,
            Some('u') if digits(4, is_hexadecimal) => 6,
            Some('U') if digits(8, is_hexadecimal) => 10,
            _ => return Err("has an escape that means nothing; write \\\\ for a backslash".to_owned()),
        };
        self.at += length;
        Ok(())
    }
}
