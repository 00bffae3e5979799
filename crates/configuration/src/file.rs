//! What a file says: its keys and values, and where each of them stands.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::place::{Fault, Place};

/// The largest file that is read.
const MAX_BYTES: u64 = 1024 * 1024;
/// The right of other users to read a file.
const OTHERS_READ: u32 = 0o004;

/// A key of a file, with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The section; `None` at the top of the file.
    pub section: Option<String>,
    pub key: String,
    pub value: Value,
    /// Where the key stands.
    pub place: Place,
}

/// A value, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Switch(bool),
    Number(String),
    Text(String),
    List(Vec<String>),
}

/// What a file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub entries: Vec<Entry>,
    /// The sections, with the places of their names.
    pub sections: Vec<(String, Place)>,
}

/// The text of a file, and whether every user of this machine can read it.
pub fn text(path: &Path) -> io::Result<(String, bool)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it has more than {MAX_BYTES} bytes")));
    }
    Ok((text, metadata.permissions().mode() & OTHERS_READ != 0))
}

impl Written {
    /// Reads a text; or every fault of its form.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut reader = Reader { text, written: Self::default(), faults: Vec::new() };
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            reader.fault(at, error.message().to_owned());
        }
        // What a recovered table holds may be a guess.
        if reader.faults.is_empty() {
            reader.top(table.get_ref());
        }
        reader.written.entries.sort_by_key(|entry| entry.place);
        if reader.faults.is_empty() { Ok(reader.written) } else { Err(reader.faults) }
    }

    /// What the file sets for a command: in its section, or else at the top.
    pub fn entry(&self, section: &str, key: &str) -> Option<&Entry> {
        let of = |section: Option<&str>| {
            self.entries.iter().find(|entry| entry.key == key && entry.section.as_deref() == section)
        };
        of(Some(section)).or_else(|| of(None))
    }
}

impl Value {
    /// As on the command line.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Switch(is_on) => vec![is_on.to_string()],
            Self::Number(text) | Self::Text(text) => vec![text.clone()],
            Self::List(texts) => texts.clone(),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    written: Written,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn place(&self, at: usize) -> Place {
        Place::of(self.text, at)
    }

    fn fault(&mut self, at: usize, reason: String) {
        let place = self.place(at);
        self.faults.push(Fault { place, reason });
    }

    fn top(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            match value.get_ref() {
                DeValue::Table(section) => {
                    let place = self.place(key.span().start);
                    self.written.sections.push((key.get_ref().clone().into_owned(), place));
                    for (inner, value) in section {
                        self.entry(Some(key.get_ref()), inner.span().start, inner.get_ref(), value);
                    }
                }
                _ => self.entry(None, key.span().start, key.get_ref(), value),
            }
        }
    }

    fn entry(&mut self, section: Option<&str>, at: usize, key: &str, value: &Spanned<DeValue<'_>>) {
        match read(value) {
            Ok(value) => {
                let (section, key, place) = (section.map(str::to_owned), key.to_owned(), self.place(at));
                self.written.entries.push(Entry { section, key, value, place });
            }
            Err(reason) => self.fault(value.span().start, format!("{key}: {reason}")),
        }
    }
}

fn read(value: &Spanned<DeValue<'_>>) -> Result<Value, String> {
    match value.get_ref() {
        DeValue::String(text) => Ok(Value::Text(text.clone().into_owned())),
        DeValue::Integer(number) if number.radix() == 10 => Ok(Value::Number(number.as_str().to_owned())),
        DeValue::Integer(_) => Err("write the number with decimal digits".to_owned()),
        DeValue::Float(number) => Ok(Value::Number(number.as_str().to_owned())),
        DeValue::Boolean(is_on) => Ok(Value::Switch(*is_on)),
        DeValue::Array(values) => {
            let texts = values.iter().map(|value| match read(value)? {
                Value::Text(text) | Value::Number(text) => Ok(text),
                Value::Switch(_) | Value::List(_) => Err("a list holds texts".to_owned()),
            });
            Ok(Value::List(texts.collect::<Result<_, _>>()?))
        }
        DeValue::Datetime(_) => Err("write the date as a text in quotation marks".to_owned()),
        DeValue::Table(_) => Err("a section of a section means nothing here".to_owned()),
    }
}
