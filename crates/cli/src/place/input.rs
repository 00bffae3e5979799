//! Where orders come from: a file or standard input, read one order at a time.

use std::fmt::Write;
use std::io::{self, Read};
use std::path::Path;
use std::pin::Pin;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};
use uuid::Uuid;

use crate::CommandError;

/// The largest order that is sent, in bytes: more than a server takes.
const MAX_ORDER: usize = 2 * 1024 * 1024;
const BUFFER: usize = 64 * 1024;

/// How orders are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One on each line.
    Lines,
    /// One in all.
    Document,
}

/// An order as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The line it begins on, from 1.
    pub line: u64,
    /// Its text; none if it is longer than any server takes.
    pub text: Option<Bytes>,
}

/// Orders to be read.
pub struct Input {
    name: String,
    layout: Layout,
    reader: Pin<Box<dyn AsyncBufRead + Send>>,
    /// Lines read so far.
    line: u64,
    /// How many orders there are, if that can be known beforehand.
    orders: Option<u64>,
    keys: Keys,
}

/// Makes the idempotency keys of orders that have no id of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(String);

impl Keys {
    /// The key of the order on that line.
    pub fn of_line(&self, line: u64) -> String {
        format!("{}-{line}", self.0)
    }
}

impl Input {
    /// Opens a file, or standard input for `-`.
    pub async fn open(path: &Path, layout: Layout) -> Result<Self, CommandError> {
        if path == Path::new("-") {
            let stdin = BufReader::with_capacity(BUFFER, tokio::io::stdin());
            return Ok(Self::unseekable("standard input".to_owned(), layout, Box::pin(stdin)));
        }
        let name = path.display().to_string();
        let failed = |source| CommandError::Read { input: name.clone(), source };
        let file = tokio::fs::File::open(path).await.map_err(failed)?;
        let is_file = file.metadata().await.map_err(failed)?.is_file();
        let reader = Box::pin(BufReader::with_capacity(BUFFER, file));
        if !is_file {
            return Ok(Self::unseekable(name, layout, reader));
        }
        let beforehand = path.to_owned();
        let survey = tokio::task::spawn_blocking(move || Survey::of(std::fs::File::open(beforehand)?)).await;
        let survey = survey.map_err(io::Error::other).and_then(|survey| survey).map_err(failed)?;
        let orders = if layout == Layout::Document { 1 } else { survey.lines };
        Ok(Self { name, layout, reader, line: 0, orders: Some(orders), keys: Keys(survey.digest) })
    }

    /// What can be read only once: its keys hold for this time only.
    fn unseekable(name: String, layout: Layout, reader: Pin<Box<dyn AsyncBufRead + Send>>) -> Self {
        let orders = (layout == Layout::Document).then_some(1);
        Self { name, layout, reader, line: 0, orders, keys: Keys(Uuid::new_v4().simple().to_string()) }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many orders it has, if that is known.
    pub fn orders(&self) -> Option<u64> {
        self.orders
    }

    /// The keys of its orders.
    pub fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// The next order, if there is one. Empty lines are skipped. Nothing follows an error.
    pub async fn next(&mut self) -> Option<Result<Found, CommandError>> {
        let found = match self.layout {
            Layout::Document => self.document().await,
            Layout::Lines => self.next_line().await,
        };
        if !matches!(found, Ok(Some(_))) {
            self.reader = Box::pin(tokio::io::empty());
        }
        found.map_err(|source| CommandError::Read { input: self.name.clone(), source }).transpose()
    }

    async fn document(&mut self) -> io::Result<Option<Found>> {
        if self.line > 0 {
            return Ok(None);
        }
        self.line = 1;
        let text = read_until(&mut self.reader, None).await?;
        Ok(Some(Found { line: 1, text: text.map(without_mark) }))
    }

    async fn next_line(&mut self) -> io::Result<Option<Found>> {
        loop {
            if self.reader.fill_buf().await?.is_empty() {
                return Ok(None);
            }
            self.line += 1;
            let text = read_until(&mut self.reader, Some(b'\n')).await?;
            let text = if self.line == 1 { text.map(without_mark) } else { text };
            if text.as_ref().is_none_or(|text| !text.trim_ascii().is_empty()) {
                return Ok(Some(Found { line: self.line, text }));
            }
        }
    }
}

/// Reads up to and with the delimiter, or to the end; gives none, but reads on, if that is too long
/// to be an order.
async fn read_until(
    reader: &mut Pin<Box<dyn AsyncBufRead + Send>>,
    delimiter: Option<u8>,
) -> io::Result<Option<Bytes>> {
    let mut text = Vec::new();
    let mut too_long = false;
    loop {
        let buffer = reader.fill_buf().await?;
        if buffer.is_empty() {
            break;
        }
        let end = delimiter.and_then(|delimiter| buffer.iter().position(|byte| *byte == delimiter));
        let length = end.map_or(buffer.len(), |end| end + 1);
        if text.len() + length > MAX_ORDER {
            too_long = true;
            text = Vec::new();
        }
        if !too_long {
            text.extend_from_slice(&buffer[..length]);
        }
        reader.consume(length);
        if end.is_some() {
            break;
        }
    }
    Ok((!too_long).then(|| Bytes::from(text)))
}

/// Some editors put a byte order mark before a text.
fn without_mark(text: Bytes) -> Bytes {
    if text.starts_with(b"\xef\xbb\xbf") { text.slice(3..) } else { text }
}

/// What is known of a file before it is read for good.
#[derive(Debug, PartialEq, Eq)]
struct Survey {
    /// Lines that are not empty.
    lines: u64,
    /// SHA-256, in hexadecimal digits.
    digest: String,
}

impl Survey {
    fn of(mut file: impl Read) -> io::Result<Self> {
        let mut hasher = Sha256::new();
        let mut lines = 0;
        let mut in_text = false;
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(&buffer[..length]);
            for byte in &buffer[..length] {
                if *byte == b'\n' {
                    lines += u64::from(in_text);
                    in_text = false;
                } else {
                    in_text |= !byte.is_ascii_whitespace();
                }
            }
        }
        lines += u64::from(in_text);
        let mut digest = String::with_capacity(64);
        for byte in hasher.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(digest, "{byte:02x}");
        }
        Ok(Self { lines, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(content: &[u8], layout: Layout) -> (Option<u64>, Vec<(u64, Option<String>)>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.jsonl");
        std::fs::write(&path, content).unwrap();
        let mut input = Input::open(&path, layout).await.unwrap();
        let mut found = Vec::new();
        while let Some(order) = input.next().await {
            let order = order.unwrap();
            found.push((order.line, order.text.map(|text| String::from_utf8_lossy(text.trim_ascii()).into_owned())));
        }
        (input.orders(), found)
    }

    fn lines(lines: &[(u64, &str)]) -> Vec<(u64, Option<String>)> {
        lines.iter().map(|(line, text)| (*line, Some((*text).to_owned()))).collect()
    }

    #[tokio::test]
    async fn each_line_is_an_order_and_empty_lines_are_skipped() {
        let content = b"\xef\xbb\xbf{\"a\":1}\r\n\n  \t\r\n{\"b\":2}\n{\"c\":3}";
        let (orders, found) = read(content, Layout::Lines).await;
        assert_eq!(found, lines(&[(1, "{\"a\":1}"), (4, "{\"b\":2}"), (5, "{\"c\":3}")]));
        assert_eq!(orders, Some(3));
    }

    #[tokio::test]
    async fn an_empty_file_has_no_orders() {
        assert_eq!(read(b"", Layout::Lines).await, (Some(0), vec![]));
        assert_eq!(read(b"\n \n", Layout::Lines).await, (Some(0), vec![]));
    }

    #[tokio::test]
    async fn a_document_is_one_order_however_many_lines_it_has() {
        assert_eq!(read(b"{\n\n}\n", Layout::Document).await, (Some(1), lines(&[(1, "{\n\n}")])));
        assert_eq!(read(b"", Layout::Document).await, (Some(1), lines(&[(1, "")])));
    }

    #[tokio::test]
    async fn a_line_too_long_for_any_server_is_named_and_not_kept() {
        let mut content = vec![b' '; MAX_ORDER];
        content.extend_from_slice(b"x\n{}\n");
        let (_, found) = read(&content, Layout::Lines).await;
        assert_eq!(found, vec![(1, None), (2, Some("{}".to_owned()))]);
        assert_eq!(read(&content, Layout::Document).await.1, vec![(1, None)]);
    }

    #[tokio::test]
    async fn keys_are_the_same_for_the_same_content_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut keys = Vec::new();
        for (name, content) in [("a", "{}\n{}"), ("b", "{}\n{}"), ("c", "{}\n{} ")] {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            keys.push(Input::open(&path, Layout::Lines).await.unwrap().keys());
        }
        assert_eq!(keys[0], keys[1]);
        assert_ne!(keys[0], keys[2]);
        assert_ne!(keys[0].of_line(1), keys[0].of_line(2));
    }

    #[tokio::test]
    async fn what_is_not_there_or_not_to_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Input::open(&folder.path().join("nothing.jsonl"), Layout::Lines).await.err().unwrap();
        assert!(error.to_string().contains("nothing.jsonl"));
        let mut input = Input::open(folder.path(), Layout::Lines).await.unwrap();
        assert!(matches!(input.next().await, Some(Err(CommandError::Read { .. }))));
        assert!(input.next().await.is_none());
    }
}
