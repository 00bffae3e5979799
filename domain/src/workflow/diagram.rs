//! A workflow as a Mermaid flowchart, for people.

// Writing to a text cannot fail, so the results of `write!` are ignored.
use std::fmt::Write as _;

use super::{Join, Step, Workflow};
use crate::order::Mode;

impl Workflow {
    /// The steps and their order, as a Mermaid flowchart.
    pub fn diagram(&self) -> String {
        let mut chart = String::from("flowchart TD\n");
        section(&mut chart, "steps", &self.steps);
        if !self.compensated.is_empty() {
            section(&mut chart, "compensated", &self.compensated);
        }
        chart
    }
}

fn section(chart: &mut String, name: &str, steps: &[Step]) {
    line(chart, format_args!("  subgraph {name}"));
    for (number, step) in steps.iter().enumerate() {
        line(chart, format_args!("    {name}{number}{}", shape(step)));
    }
    for (number, step) in steps.iter().enumerate() {
        let guard =
            step.when.as_ref().map(|when| format!("|\"{}\"|", escape(when.source().trim()))).unwrap_or_default();
        for before in steps.iter().enumerate().filter(|(_, other)| step.after.contains(&other.id)).map(|(n, _)| n) {
            line(chart, format_args!("    {name}{before} -->{guard} {name}{number}"));
        }
    }
    line(chart, format_args!("  end"));
}

/// A step that waits for an answer or a time has round ends.
fn shape(step: &Step) -> String {
    let mut label = format!("{}<br/>{}", step.id, what(step));
    if let Some(undo) = &step.undo {
        label = format!("{label}<br/>undo: {}.{}", undo.participant, undo.action);
    }
    if step.join == Join::Any {
        label.push_str("<br/>after any");
    }
    if let Some(guard) = step.when.as_ref().filter(|_| step.after.is_empty()) {
        label = format!("{label}<br/>when {}", escape(guard.source().trim()));
    }
    match step.mode {
        Mode::Call => format!("[\"{label}\"]"),
        Mode::Request | Mode::Wait | Mode::Await => format!("([\"{label}\"])"),
    }
}

fn what(step: &Step) -> String {
    match (&step.action, &step.awaits) {
        (Some(action), _) => format!("{}.{}", action.participant, action.action),
        (None, Some(what)) => format!("await {what}"),
        (None, None) => format!("wait {:?}", step.answer_timeout),
    }
}

/// Text that Mermaid shows unchanged: special characters become entities.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '#' | '<' | '>' | '&' | ';' | '|' | '`' | '\\' => {
                let _ = write!(escaped, "#{};", u32::from(character));
            }
            '\n' | '\r' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

fn line(chart: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = writeln!(chart, "{text}");
}
