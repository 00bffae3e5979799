//! What expressions read: existing variables and fields, and steps that come before.

use super::notes::Notes;
use super::section::Section;
use crate::workflow::expression::{order_fields, step_fields};
use crate::workflow::suggest::{did_you_mean, has_no_field};
use crate::workflow::{Comparison, Expression, Step, Subject, TextPosition, Workflow};

/// The expression that reads.
#[derive(Clone, Copy)]
enum Reader<'a> {
    /// A step's, by its section and its position.
    Step(&'a Section<'a>, usize),
    /// `result`.
    Result,
}

/// Reports what expressions read although it does not exist.
pub(super) fn check(workflow: &Workflow, forward: &Section, compensated: &Section, notes: &mut Notes) {
    let known = Known { forward, compensated };
    for section in [forward, compensated] {
        for (position, step) in section.steps.iter().enumerate() {
            let reader = Reader::Step(section, position);
            let guard = step.when.iter().map(|when| (".when".to_owned(), when));
            let inputs = step.with.iter().map(|(name, value)| (format!(".with.{name}"), value));
            for (within, expression) in guard.chain(inputs) {
                known.check(reader, &section.path(step, &within), expression, notes);
            }
        }
    }
    if let Some(result) = &workflow.result {
        known.check(Reader::Result, "result", result, notes);
    }
}

struct Known<'a> {
    forward: &'a Section<'a>,
    compensated: &'a Section<'a>,
}

impl Known<'_> {
    fn check(&self, reader: Reader, path: &str, expression: &Expression, notes: &mut Notes) {
        let mut last: Option<(&Subject, TextPosition)> = None;
        for reference in expression.references() {
            // CEL macros repeat a part of the text, so the same reference at the same place may
            // come twice.
            if last.replace((&reference.subject, reference.at)) == Some((&reference.subject, reference.at)) {
                continue;
            }
            if let Some(reason) = self.fault_of(reader, &reference.subject) {
                notes.within(path, reference.at, reason);
            }
        }
        for comparison in expression.comparisons() {
            if let Some(reason) = self.never_answered(comparison) {
                notes.within(path, comparison.at, reason);
            }
        }
    }

    fn fault_of(&self, reader: Reader, subject: &Subject) -> Option<String> {
        match subject {
            Subject::Order { field } => {
                field.as_deref().and_then(|field| unknown_field("order", field, &order_fields()))
            }
            Subject::Step { id, field } => self.unreadable(reader, id).or_else(|| {
                let field = field.as_deref()?;
                unknown_field("a step", field, &step_fields())
            }),
            Subject::AllSteps => Some("name the step that is read: steps.ship or steps['create-order']".to_owned()),
            Subject::Unknown(name) => Some(self.unknown_variable(name)),
        }
    }

    fn unknown_variable(&self, name: &str) -> String {
        let suggestion = match self.find(name) {
            Some(_) => format!("; did you mean 'steps.{name}'?"),
            None => did_you_mean(name, ["order", "steps"]),
        };
        format!("there is no variable '{name}'; there are 'order' and 'steps'{suggestion}")
    }

    fn find(&self, id: &str) -> Option<&Step> {
        self.forward.steps.iter().chain(self.compensated.steps).find(|step| step.id == id)
    }

    /// Why a reader cannot read a step.
    fn unreadable(&self, reader: Reader, id: &str) -> Option<String> {
        if self.find(id).is_none() {
            let ids = self.forward.steps.iter().chain(self.compensated.steps).map(|step| step.id.as_str());
            return Some(format!("there is no step '{id}'{}", did_you_mean(id, ids)));
        }
        match reader {
            Reader::Result => self
                .forward
                .position(id)
                .is_none()
                .then(|| format!("'{id}' runs only once the order is undone, which has no result")),
            Reader::Step(section, own) => self.not_before(section, own, id),
        }
    }

    fn not_before(&self, section: &Section, own: usize, id: &str) -> Option<String> {
        let reads_back = section.name == self.compensated.name && self.forward.position(id).is_some();
        match section.position(id) {
            _ if reads_back => None,
            Some(position) if position == own => Some("a step cannot read its own answer".to_owned()),
            Some(position) if section.graph.upstream[own].contains(&position) => None,
            Some(_) => {
                let own = &section.steps[own].id;
                Some(format!("'{id}' does not come before '{own}'; only what a step follows ('after') can be read"))
            }
            None => Some(format!("'{id}' runs only once the order is undone")),
        }
    }

    /// Why a comparison makes no sense: the step never has that outcome.
    fn never_answered(&self, comparison: &Comparison) -> Option<String> {
        let step = self.find(&comparison.step)?;
        if step.outcomes.is_empty() || step.outcomes.contains(&comparison.outcome) {
            return None;
        }
        let suggestion = did_you_mean(&comparison.outcome, step.outcomes.iter().map(String::as_str));
        let holds = if comparison.equal { "never" } else { "always" };
        Some(format!(
            "{holds} holds: the outcomes of '{}' are {}{suggestion}",
            comparison.step,
            step.outcomes.join(", ")
        ))
    }
}

fn unknown_field(of: &str, field: &str, known: &[&str]) -> Option<String> {
    (!known.contains(&field)).then(|| has_no_field(of, field, known))
}
