//! YAML as a tree in which every node knows its place and its path.
//!
//! Only the part of YAML that workflow files need: anchors, aliases and tags are refused, because
//! they make a file mean more than it shows. Size and depth are bounded. The parser emits events,
//! and loading stops at the first event beyond a limit.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

use super::TextPosition;
use super::fault::FaultReport;

/// The limit for a file, in bytes.
pub const MAX_LENGTH: usize = 256 * 1024;
/// The limit for nesting.
const MAX_DEPTH: usize = 16;

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub at: TextPosition,
    /// The path for people: `steps.ship.after[0]`.
    pub path: String,
    pub content: Content,
}

/// A value.
#[derive(Debug)]
pub(crate) enum Content {
    /// Nothing, `~` or `null`.
    Nothing,
    Scalar {
        text: String,
        /// Without quotes.
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub key_at: TextPosition,
    pub value: Node,
}

impl FaultReport<'_> {
    /// Adds a fault of a value.
    pub fn add_at(&mut self, node: &Node, reason: impl Into<String>) {
        self.add(node.at, &node.path, reason);
    }

    /// Adds a fault at a place within the text of a value.
    pub fn add_within(&mut self, node: &Node, inner: TextPosition, reason: impl Into<String>) {
        if !self.is_full() {
            self.add(node.within(inner, &self.lines), &node.path, reason);
        }
    }
}

impl Node {
    /// The place in the file of a place within the text of a value. It is the start of the value if
    /// the file writes the text in another form (with escapes, or folded).
    pub fn within(&self, inner: TextPosition, lines: &[&str]) -> TextPosition {
        let Content::Scalar { text, .. } = &self.content else { return self.at };
        let Some(wanted) = text.lines().nth(inner.line - 1).filter(|line| !line.is_empty()) else { return self.at };
        // A block scalar begins in the line after its sign, any other value at its place.
        [self.at.line + inner.line - 1, self.at.line + inner.line]
            .into_iter()
            .find_map(|line| self.find(line, wanted, lines).map(|column| (line, column)))
            .map_or(self.at, |(line, column)| TextPosition { line, column: column + inner.column - 1 })
    }

    /// The column of a text in a line of the file, at or after the start of the value.
    fn find(&self, line: usize, wanted: &str, lines: &[&str]) -> Option<usize> {
        let raw = lines.get(line - 1)?;
        let skip = if line == self.at.line { self.at.column - 1 } else { 0 };
        let (start, _) = raw.char_indices().nth(skip)?;
        let found = raw[start..].find(wanted)?;
        Some(skip + raw[start..start + found].chars().count() + 1)
    }

    /// Every node, with the place of its key (for an item of a list, the item's own place).
    pub fn visit<'a>(&'a self, key_at: TextPosition, found: &mut impl FnMut(&'a Node, TextPosition)) {
        found(self, key_at);
        match &self.content {
            Content::Nothing | Content::Scalar { .. } => {}
            Content::List(items) => items.iter().for_each(|item| item.visit(item.at, found)),
            Content::Map(entries) => entries.iter().for_each(|entry| entry.value.visit(entry.key_at, found)),
        }
    }
}

impl Content {
    /// The name for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "empty",
            Self::Scalar { .. } => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// Reads a file; `None`: it is not YAML.
pub(crate) fn load<'a>(source: &'a str, report: &mut FaultReport<'a>) -> Option<Node> {
    if source.len() > MAX_LENGTH {
        report.add(TextPosition::START, "", format!("is larger than {} KiB", MAX_LENGTH / 1024));
        return None;
    }
    let mut loader = Loader { parser: Parser::new_from_str(source), report };
    let read = loader.document();
    read.map_err(|stop| report.add(stop.at, &stop.path, stop.reason)).ok()
}

/// Why the rest of a file cannot be read.
struct Stop {
    at: TextPosition,
    path: String,
    reason: String,
}

type Read<T> = Result<T, Stop>;

struct Loader<'a, 'r> {
    parser: Parser<'a, StrInput<'a>>,
    report: &'r mut FaultReport<'a>,
}

impl<'a> Loader<'a, '_> {
    fn document(&mut self) -> Read<Node> {
        let root = loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::StreamEnd, span) => return Err(stop(span.start, "", "is empty")),
                (event, span) => break self.node(event, span, String::new(), 0)?,
            }
        };
        let (event, span) = self.next()?;
        if event != Event::DocumentEnd {
            return Err(stop(span.start, "", "continues after its end"));
        }
        match self.next()? {
            (Event::StreamEnd, _) => Ok(root),
            (_, span) => Err(stop(span.start, "", "holds a second document; a file holds one")),
        }
    }

    fn next(&mut self) -> Read<(Event<'a>, Span)> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(stop(*error.marker(), "", &format!("is not YAML: {}", error.info()))),
            None => Err(stop(Marker::new(0, 1, 0), "", "is not YAML: it ends too early")),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, path: String, depth: usize) -> Read<Node> {
        let at = position(span.start);
        if depth > MAX_DEPTH {
            return Err(stop(span.start, &path, &format!("is nested more than {MAX_DEPTH} deep")));
        }
        self.refuse_extras(&event, at, &path);
        let content = match event {
            Event::Scalar(text, style, ..) => scalar(text.into_owned(), style),
            Event::SequenceStart(..) => Content::List(self.list(&path, depth)?),
            Event::MappingStart(..) => Content::Map(self.map(&path, depth)?),
            Event::Alias(_) => Content::Nothing,
            _ => return Err(stop(span.start, &path, "is not YAML: a value is missing")),
        };
        Ok(Node { at, path, content })
    }

    fn refuse_extras(&mut self, event: &Event<'a>, at: TextPosition, path: &str) {
        let (anchor, tag) = match event {
            Event::Alias(anchor) => (*anchor, &None),
            Event::Scalar(_, _, anchor, tag) | Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                (*anchor, tag)
            }
            _ => (0, &None),
        };
        if anchor != 0 {
            self.report.add(at, path, "anchors and aliases are not part of the format: write the value out");
        }
        if tag.is_some() {
            self.report.add(at, path, "tags are not part of the format");
        }
    }

    fn list(&mut self, path: &str, depth: usize) -> Read<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => {
                    let path = format!("{path}[{}]", items.len());
                    items.push(self.node(event, span, path, depth + 1)?);
                }
            }
        }
    }

    /// The entries of a map. Of two equal keys, the first counts.
    fn map(&mut self, path: &str, depth: usize) -> Read<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut known: HashMap<String, TextPosition> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key_at = position(span.start);
            let key = self.key(event, span, path)?;
            let value_path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let (event, span) = self.next()?;
            let value = self.node(event, span, value_path, depth + 1)?;
            if let Some(first) = known.get(&key) {
                self.report.add(key_at, &value.path, format!("appears twice, first in line {}", first.line));
            } else {
                known.insert(key.clone(), key_at);
                entries.push(Entry { key, key_at, value });
            }
        }
    }

    fn key(&mut self, event: Event<'a>, span: Span, path: &str) -> Read<String> {
        self.refuse_extras(&event, position(span.start), path);
        match event {
            Event::Scalar(text, ..) => Ok(text.into_owned()),
            _ => Err(stop(span.start, path, "has a key that is not a single word")),
        }
    }
}

fn scalar(text: String, style: ScalarStyle) -> Content {
    let plain = style == ScalarStyle::Plain;
    if plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") {
        Content::Nothing
    } else {
        Content::Scalar { text, plain }
    }
}

fn stop(at: Marker, path: &str, reason: &str) -> Stop {
    Stop { at: position(at), path: path.to_owned(), reason: reason.to_owned() }
}

fn position(marker: Marker) -> TextPosition {
    TextPosition { line: marker.line().max(1), column: marker.col() + 1 }
}
