//! Rules: a file that answers requests which the history never sent.
//!
//! ```yaml
//! answers:                        # by participant.action, do or undo alike
//!   risk.check:
//!     - { when: "double(order.total) > 1000.0", outcome: review }
//!     - { outcome: ok, data: { score: 10 } }
//!   shipping.ship:
//!     - { when: "'backordered' in steps.ship.outcomes", outcome: out_of_stock }
//!   payments.refund: [{}]         # it is done
//!   crm.note: [{ refuse: no such customer }]
//! persons:                        # by what is awaited
//!   approval: [{ outcome: approved }]
//! ```
//!
//! The first rule whose guard holds answers, in place of the recorded answer. If no guard holds,
//! the recorded answer is used. Guards are those of workflow files. `order` is the order. `steps`
//! is the state of its steps at the end of the **history**, under their recorded names: `outcome`
//! is the last of `outcomes`, and `data` is its data. A guard without a value does not hold, for
//! example because a step does not exist.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value, json};

use super::past::Past;
use super::requests::{Addressee, RequestEventKind};
use crate::order::{Direction, Event, Order, order_seen_by};
use crate::workflow::fault::FaultReport;
use crate::workflow::read::fields::{Fields, entries};
use crate::workflow::read::values;
use crate::workflow::suggest::did_you_mean;
use crate::workflow::yaml::{self, Content, Entry, Node};
use crate::workflow::{Expression, Faults, Scope, Subject, Workflow};

const KEYS: [&str; 2] = ["answers", "persons"];
const RULE_KEYS: [&str; 4] = ["when", "outcome", "data", "refuse"];
/// The limit for entries of a section, and for rules of an entry.
const MAX_ENTRIES: usize = 1_000;

/// The answers of a file, by addressee.
#[derive(Debug, Clone, Default)]
pub struct Rules(BTreeMap<Addressee, Vec<Rule>>);

#[derive(Debug, Clone)]
struct Rule {
    when: Option<Expression>,
    answer: RuleAnswer,
}

/// The answer of a rule.
#[derive(Debug, Clone)]
pub(super) enum RuleAnswer {
    Outcome { outcome: String, data: Value },
    Refused(String),
}

/// An answer that a rule gives.
#[derive(Debug, Clone)]
pub(super) struct Supposed {
    pub answer: RuleAnswer,
}

impl Rules {
    /// Reads and checks a file of rules against a definition. Each fault names its line and column.
    pub fn parse(source: &str, workflow: &Workflow) -> Result<Self, Faults> {
        let mut report = FaultReport::new(source);
        let Some(root) = yaml::load(source, &mut report) else { return report.finish(None) };
        let rules = read(&root, workflow, &mut report);
        report.finish(rules)
    }

    /// Whether a rule for this addressee reads personal data.
    pub(super) fn look_into_personal_data(&self, addressee: &Addressee) -> bool {
        let guards = self.0.get(addressee).into_iter().flatten().filter_map(|rule| rule.when.as_ref());
        guards.into_iter().any(Expression::looks_into_personal_data)
    }

    /// The answer of the first rule that holds.
    pub(super) fn answer(&self, addressee: &Addressee, past: &Past, state: &Order) -> Option<Supposed> {
        let rule = self.0.get(addressee)?.iter().find(|rule| rule.holds(past, state))?;
        Some(Supposed { answer: rule.answer.clone() })
    }
}

impl Rule {
    fn holds(&self, past: &Past, state: &Order) -> bool {
        let Some(guard) = &self.when else { return true };
        let scope = Scope { order: order_seen_by(guard, state), steps: steps_then(past), placeholders: false };
        guard.holds(&scope).unwrap_or(false)
    }
}

/// The state of the steps at the end of the history.
fn steps_then(past: &Past) -> Value {
    let mut steps = Map::new();
    for request in past.requests.iter().filter(|request| request.direction == Direction::Do) {
        steps.insert(request.step.clone(), json!({ "outcome": null, "outcomes": [], "data": null }));
    }
    for event in &past.request_events {
        let Some(request) = past.requests.get(event.request).filter(|request| request.direction == Direction::Do)
        else {
            continue;
        };
        let RequestEventKind::Concluded(Some(outcome)) = &event.kind else { continue };
        let Some(step) = steps.get_mut(&request.step) else { continue };
        step["outcome"] = json!(outcome);
        if let Value::Array(outcomes) = &mut step["outcomes"] {
            outcomes.push(json!(outcome));
        }
        if let Some(Event::StepCompleted(e)) = past.events.get(event.seq) {
            step["data"] = e.data.clone();
        }
    }
    Value::Object(steps)
}

fn read(root: &Node, workflow: &Workflow, report: &mut FaultReport) -> Option<Rules> {
    let fields = Fields::of(root, root.at, &KEYS, report)?;
    let mut rules = BTreeMap::new();
    let asked = asked(workflow);
    if let Some(node) = fields.get("answers") {
        let known: Vec<String> =
            asked.iter().filter(|addressee| !matches!(addressee, Addressee::Person(_))).map(Addressee::name).collect();
        let addressee = |key: &str| {
            let (name, action) = key.split_once('.')?;
            Some(Addressee::Participant { name: name.to_owned(), action: action.to_owned() })
        };
        section(node, &known, addressee, &mut rules, report);
    }
    if let Some(node) = fields.get("persons") {
        let persons = asked.iter().filter_map(|addressee| match addressee {
            Addressee::Person(awaits) => Some(awaits.clone()),
            Addressee::Participant { .. } | Addressee::Time => None,
        });
        section(node, &persons.collect::<Vec<_>>(), |key| Some(Addressee::Person(key.to_owned())), &mut rules, report);
    }
    Some(Rules(rules))
}

/// All addressees of a definition.
fn asked(workflow: &Workflow) -> Vec<Addressee> {
    let steps = workflow.steps.iter().chain(&workflow.compensated);
    let both = steps.flat_map(|step| [Addressee::of(step, Direction::Do), Addressee::of(step, Direction::Undo)]);
    both.flatten().filter(|addressee| *addressee != Addressee::Time).collect()
}

fn section(
    node: &Node,
    known: &[String],
    addressee: impl Fn(&str) -> Option<Addressee>,
    rules: &mut BTreeMap<Addressee, Vec<Rule>>,
    report: &mut FaultReport,
) {
    for Entry { key, key_at, value } in entries(node, MAX_ENTRIES, report).unwrap_or_default() {
        if !known.contains(key) {
            let nearest = did_you_mean(key, known.iter().map(String::as_str));
            report.add(*key_at, &value.path, format!("is not requested by the workflow{nearest}"));
        }
        let of = list(value, report).iter().filter_map(|rule| read_rule(rule, report)).collect();
        if let Some(addressee) = addressee(key) {
            rules.insert(addressee, of);
        }
    }
}

fn list<'a>(node: &'a Node, report: &mut FaultReport) -> &'a [Node] {
    match &node.content {
        Content::List(rules) if rules.is_empty() || rules.len() > MAX_ENTRIES => {
            report.add_at(node, format!("must hold from 1 to {MAX_ENTRIES} rules"));
            &[]
        }
        Content::List(rules) => rules,
        other => {
            report.add_at(node, format!("must be a list of rules, is {}", other.kind()));
            &[]
        }
    }
}

fn read_rule(node: &Node, report: &mut FaultReport) -> Option<Rule> {
    let fields = Fields::of(node, node.at, &RULE_KEYS, report)?;
    let when = fields.get("when").and_then(|node| guard(node, report));
    let outcome = fields.get("outcome").and_then(|node| values::word(node, report));
    let data = fields.get("data").map(json_of).unwrap_or_default();
    let answer = match fields.get("refuse") {
        Some(node) => {
            for key in ["outcome", "data"] {
                fields.fault(key, "has no meaning where 'refuse' stands", report);
            }
            RuleAnswer::Refused(values::text(node, report)?.to_owned())
        }
        None => RuleAnswer::Outcome { outcome: outcome.unwrap_or("done").to_owned(), data },
    };
    Some(Rule { when, answer })
}

fn guard(node: &Node, report: &mut FaultReport) -> Option<Expression> {
    let guard = values::expression(node, report)?;
    for reference in guard.references() {
        if let Subject::Unknown(name) = &reference.subject {
            report.add_within(node, reference.at, format!("there is no '{name}'; there are 'order' and 'steps'"));
        }
    }
    Some(guard)
}

/// A YAML value as JSON. Without quotes, `true`, `false` and numbers are not text.
fn json_of(node: &Node) -> Value {
    match &node.content {
        Content::Nothing => Value::Null,
        Content::Scalar { text, plain } => scalar(text, *plain),
        Content::List(items) => items.iter().map(json_of).collect(),
        Content::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), json_of(&entry.value))).collect(),
    }
}

fn scalar(text: &str, plain: bool) -> Value {
    match text {
        "true" if plain => Value::Bool(true),
        "false" if plain => Value::Bool(false),
        _ => match text.parse::<Number>() {
            Ok(number) if plain => Value::Number(number),
            _ => Value::String(text.to_owned()),
        },
    }
}
