//! Single values: names, numbers, durations, actions, expressions.

use std::time::Duration;

use super::url;
use crate::workflow::fault::FaultReport;
use crate::workflow::yaml::{Content, Node};
use crate::workflow::{ActionRef, Expression, Final, TextPosition};

/// The limit for a name.
const MAX_NAME: usize = 64;
/// The highest version: the limit of a Postgres `integer`.
const MAX_VERSION: u32 = i32::MAX.unsigned_abs();

/// A text, quoted or not.
pub(crate) fn text<'a>(node: &'a Node, report: &mut FaultReport) -> Option<&'a str> {
    match &node.content {
        Content::Scalar { text, .. } => Some(text),
        other => {
            report.add_at(node, format!("must be a text, is {}", other.kind()));
            None
        }
    }
}

/// A name of a workflow, a participant or a step.
pub(crate) fn name(node: &Node, report: &mut FaultReport) -> Option<String> {
    let name = text(node, report)?;
    check_name(name, node.at, &node.path, report);
    Some(name.to_owned())
}

/// Reports a text that is not a name.
pub(crate) fn check_name(name: &str, at: TextPosition, path: &str, report: &mut FaultReport) {
    let starts = name.starts_with(|first: char| first.is_ascii_lowercase());
    let holds = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !(starts && holds && name.len() <= MAX_NAME) {
        let reason = format!(
            "'{}' is not a name: a name has lower-case letters, digits and '-', starts with a letter and is at most {MAX_NAME} long",
            shortened(name)
        );
        report.add(at, path, reason);
    }
}

/// Reports a text that is not a word. Actions, outcomes and inputs are words.
pub(crate) fn check_word(word: &str, at: TextPosition, path: &str, report: &mut FaultReport) -> bool {
    let starts = word.starts_with(|first: char| first.is_ascii_alphabetic());
    let holds = word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let fits = starts && holds && word.len() <= MAX_NAME;
    if !fits {
        let reason = format!(
            "'{}' is not a word: a word has letters, digits, '_' and '-', starts with a letter and is at most {MAX_NAME} long",
            shortened(word)
        );
        report.add(at, path, reason);
    }
    fits
}

fn shortened(text: &str) -> String {
    if text.chars().count() > MAX_NAME { text.chars().take(MAX_NAME).chain(['…']).collect() } else { text.to_owned() }
}

/// A list of texts; empty if one of its items is not a text.
pub(crate) fn texts(node: &Node, limit: usize, report: &mut FaultReport) -> Vec<String> {
    let texts: Vec<Option<&str>> = items(node, limit, report).iter().map(|item| text(item, report)).collect();
    texts.into_iter().map(|text| text.map(str::to_owned)).collect::<Option<_>>().unwrap_or_default()
}

/// A list of words; empty if one of its items is not a word.
pub(crate) fn words(node: &Node, limit: usize, report: &mut FaultReport) -> Vec<String> {
    let words: Vec<Option<&str>> = items(node, limit, report).iter().map(|item| word(item, report)).collect();
    words.into_iter().map(|word| word.map(str::to_owned)).collect::<Option<_>>().unwrap_or_default()
}

/// A word.
pub(crate) fn word<'a>(node: &'a Node, report: &mut FaultReport) -> Option<&'a str> {
    let word = text(node, report)?;
    check_word(word, node.at, &node.path, report).then_some(word)
}

fn items<'a>(node: &'a Node, limit: usize, report: &mut FaultReport) -> &'a [Node] {
    match &node.content {
        Content::List(items) if items.len() > limit => {
            report.add_at(node, format!("holds {}, more than {limit}", items.len()));
            &[]
        }
        Content::List(items) => items,
        other => {
            report.add_at(node, format!("must be a list, is {}", other.kind()));
            &[]
        }
    }
}

/// A version: a whole number from 1.
pub(crate) fn version(node: &Node, report: &mut FaultReport) -> Option<u32> {
    whole(node, MAX_VERSION, report)
}

/// A switch that can only be on. Without the key it is off.
pub(crate) fn only_true(node: &Node, report: &mut FaultReport) {
    if !matches!(&node.content, Content::Scalar { text, plain: true } if text == "true") {
        report.add_at(node, "must be 'true'");
    }
}

/// A list of HTTP statuses and types of problems.
pub(crate) fn finals(node: &Node, limit: usize, report: &mut FaultReport) -> Vec<Final> {
    items(node, limit, report).iter().filter_map(|item| is_final(item, report)).collect()
}

fn is_final(node: &Node, report: &mut FaultReport) -> Option<Final> {
    match &node.content {
        Content::Scalar { text, plain: true } if is_digits(text) => {
            let status = text.parse().ok().filter(|status| (400..=599).contains(status));
            if status.is_none() {
                report.add_at(node, "must be an HTTP status from 400 to 599, or the type of a problem (a URI)");
            }
            status.map(Final::Status)
        }
        _ => text(node, report).map(|uri| Final::Problem(uri.to_owned())),
    }
}

/// A number of attempts.
pub(crate) fn attempts(node: &Node, report: &mut FaultReport) -> Option<u32> {
    whole(node, 1000, report)
}

/// A whole number from 1, in digits, without quotes.
fn whole(node: &Node, max: u32, report: &mut FaultReport) -> Option<u32> {
    let number = match &node.content {
        Content::Scalar { text, plain: true } if is_digits(text) => text.parse().ok(),
        _ => None,
    };
    let number = number.filter(|number| (1..=max).contains(number));
    if number.is_none() {
        report.add_at(node, format!("must be a whole number from 1 to {max}"));
    }
    number
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The factor between waits.
pub(crate) fn factor(node: &Node, report: &mut FaultReport) -> Option<f64> {
    let number = match &node.content {
        Content::Scalar { text, plain: true } => text.parse::<f64>().ok(),
        _ => None,
    };
    let number = number.filter(|number| (1.0..=100.0).contains(number));
    if number.is_none() {
        report.add_at(node, "must be a number from 1 to 100");
    }
    number
}

/// A duration: digits and a unit.
pub(crate) fn duration(node: &Node, report: &mut FaultReport) -> Option<Duration> {
    let text = text(node, report)?;
    match crate::duration::parse(text) {
        Some(duration) if !duration.is_zero() && duration <= crate::duration::MAX => Some(duration),
        Some(_) => {
            report.add_at(node, "must be from 1ms to 366d");
            None
        }
        None => {
            let reason = format!("'{}' is not a duration: write 200ms, 5s, 10m, 12h or 3d", shortened(text));
            report.add_at(node, reason);
            None
        }
    }
}

/// `participant.action`.
pub(crate) fn action(node: &Node, report: &mut FaultReport) -> Option<ActionRef> {
    let text = text(node, report)?;
    let Some((participant, action)) = text.split_once('.') else {
        report.add_at(node, format!("'{}' must be participant.action", shortened(text)));
        return None;
    };
    check_word(action, node.at, &node.path, report)
        .then(|| ActionRef { participant: participant.to_owned(), action: action.to_owned() })
}

/// A business status.
pub(crate) fn status(node: &Node, report: &mut FaultReport) -> Option<String> {
    word(node, report).map(str::to_owned)
}

/// An expression.
pub(crate) fn expression(node: &Node, report: &mut FaultReport) -> Option<Expression> {
    let text = text(node, report)?;
    Expression::compile(text)
        .map_err(|error| report.add_within(node, error.at, format!("is not an expression: {}", error.reason)))
        .ok()
}

/// The address of a participant.
pub(crate) fn url(node: &Node, report: &mut FaultReport) -> Option<String> {
    let url = text(node, report)?;
    url::check(url).map_err(|reason| report.add_at(node, reason)).ok()?;
    Some(url.to_owned())
}
