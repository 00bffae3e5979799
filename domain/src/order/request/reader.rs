//! Reads a JSON value field by field, and collects all violations.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::json::push_token;

/// One violation of a request.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// The place, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What was found, and what is allowed.
    pub detail: String,
}

/// Proof that a violation is reported: only [`ViolationReport::add`] creates one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported(());

/// A part of a request, unless a violation was reported.
pub(super) type Checked<T> = Result<T, Reported>;

/// All violations so far.
#[derive(Debug, Default)]
pub(super) struct ViolationReport {
    violations: Vec<Violation>,
    unlisted: usize,
}

impl ViolationReport {
    /// Further violations are counted and not listed, so that every answer is bounded.
    const MAX_VIOLATIONS: usize = 100;

    fn add(&mut self, pointer: String, detail: String) -> Reported {
        if self.violations.len() < Self::MAX_VIOLATIONS {
            self.violations.push(Violation { pointer, detail });
        } else {
            self.unlisted += 1;
        }
        Reported(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.violations.is_empty()
    }

    pub(super) fn into_violations(self) -> Vec<Violation> {
        let Self { mut violations, unlisted } = self;
        if unlisted > 0 {
            violations.push(Violation { pointer: String::new(), detail: format!("and {unlisted} more like these") });
        }
        violations
    }
}

/// The place of a value: a chain of tokens on the stack. Only a violation turns it into a pointer.
#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Field(parent, name) => {
                let mut pointer = parent.pointer();
                push_token(&mut pointer, name);
                pointer
            }
            Self::Item(parent, index) => format!("{}/{index}", parent.pointer()),
        }
    }
}

/// A value and its place.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    value: &'a Value,
    path: Path<'a>,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, path: Path::Root }
    }

    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    pub(super) fn violation(&self, detail: impl Into<String>, report: &mut ViolationReport) -> Reported {
        report.add(self.path.pointer(), detail.into())
    }

    fn expected(&self, what: impl Display, report: &mut ViolationReport) -> Reported {
        self.violation(format!("expected {what}, found {}", found(self.value)), report)
    }

    /// A string that keeps a rule. The rule explains its violations.
    pub(super) fn text<T>(
        &self,
        report: &mut ViolationReport,
        rule: impl FnOnce(&str) -> Result<T, String>,
    ) -> Checked<T> {
        match self.value {
            Value::String(text) => rule(text).map_err(|detail| self.violation(detail, report)),
            _ => Err(self.expected("a string", report)),
        }
    }

    /// A whole number in any notation: to JSON, `1` and `1.0` are equal.
    pub(super) fn integer(&self, range: RangeInclusive<u32>, report: &mut ViolationReport) -> Checked<u32> {
        self.value
            .as_u64()
            .or_else(|| self.value.as_f64().and_then(whole))
            .and_then(|integer| u32::try_from(integer).ok())
            .filter(|integer| range.contains(integer))
            .ok_or_else(|| self.expected(format_args!("an integer from {} to {}", range.start(), range.end()), report))
    }

    /// An object.
    pub(super) fn object(&self, report: &mut ViolationReport) -> Checked<&'a Map<String, Value>> {
        self.value.as_object().ok_or_else(|| self.expected("an object", report))
    }

    /// An object with known fields; every other field is a violation.
    pub(super) fn fields(&'a self, known: &[&str], report: &mut ViolationReport) -> Checked<Fields<'a>> {
        let map = self.object(report)?;
        for name in map.keys().filter(|name| !known.contains(&name.as_str())) {
            let known = known.join(", ");
            if name.chars().count() > MAX_QUOTE_CHARS {
                self.violation(format!("unknown field {}; known are {known}", quote(name)), report);
            } else {
                report.add(
                    Path::Field(&self.path, name).pointer(),
                    format!("unknown field; known in this place are {known}"),
                );
            }
        }
        Ok(Fields { map, path: &self.path })
    }

    /// An array with this many items.
    pub(super) fn items(
        &'a self,
        count: RangeInclusive<usize>,
        report: &mut ViolationReport,
    ) -> Checked<impl Iterator<Item = Node<'a>> + use<'a>> {
        match self.value {
            Value::Array(items) if count.contains(&items.len()) => {
                Ok(items.iter().enumerate().map(|(index, value)| Node { value, path: Path::Item(&self.path, index) }))
            }
            _ => Err(self.expected(format_args!("an array of {} to {} items", count.start(), count.end()), report)),
        }
    }
}

/// The fields of an object.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: &'a Path<'a>,
}

impl<'a> Fields<'a> {
    /// A field that must exist.
    pub(super) fn required<T>(
        &self,
        name: &'a str,
        report: &mut ViolationReport,
        read: impl FnOnce(Node, &mut ViolationReport) -> Checked<T>,
    ) -> Checked<T> {
        self.optional(name, report, read)?
            .ok_or_else(|| report.add(Path::Field(self.path, name).pointer(), "must be given".to_owned()))
    }

    /// A field that may be missing or `null`.
    pub(super) fn optional<T>(
        &self,
        name: &'a str,
        report: &mut ViolationReport,
        read: impl FnOnce(Node, &mut ViolationReport) -> Checked<T>,
    ) -> Checked<Option<T>> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(Node { value, path: Path::Field(self.path, name) }, report).map(Some),
        }
    }
}

/// A double that is a whole 32-bit number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn whole(double: f64) -> Option<u64> {
    (double.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&double)).then_some(double as u64)
}

const MAX_QUOTE_CHARS: usize = 60;

/// A value as messages show it.
pub(super) fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => format!("the string {}", quote(text)),
        Value::Array(items) => match items.len() {
            0 => "an empty array".to_owned(),
            1 => "an array of one item".to_owned(),
            count => format!("an array of {count} items"),
        },
        Value::Object(_) => "an object".to_owned(),
    }
}

/// A text as messages show it: in quotes, on one line, shortened.
pub(super) fn quote(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTE_CHARS) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}
