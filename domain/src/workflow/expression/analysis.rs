//! What an expression reads, found without evaluating it.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};

use super::{ExpressionError, TextPosition};
use crate::workflow::suggest::did_you_mean;

/// Functions that an expression may call. Those of CEL that would read a clock or a time zone are not among them.
const FUNCTIONS: [&str; 13] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "int",
    "matches",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
];
/// Functions that the parser has replaced by then; kept for suggestions.
const MACROS: [&str; 6] = ["has", "all", "exists", "exists_one", "filter", "map"];
/// Names of types, which can be compared with `type(x)`.
const TYPES: [&str; 9] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];

/// What an expression reads.
#[derive(Debug, Default)]
pub(super) struct Analysis {
    pub references: Vec<Reference>,
    pub comparisons: Vec<Comparison>,
}

/// A variable or a step that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What.
    pub subject: Subject,
    /// Where in the text.
    pub at: TextPosition,
}

/// What can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The order.
    Order,
    /// One step: `steps.ship` or `steps['create-order']`.
    Step(String),
    /// `steps` by itself, or indexed by something that is known only when it is evaluated.
    AllSteps,
    /// A variable that no workflow has.
    Unknown(String),
}

/// A comparison of a step's outcome with a fixed text: `steps.ship.outcome == 'shipped'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The step.
    pub step: String,
    /// The text.
    pub outcome: String,
    /// `==`, not `!=`.
    pub equal: bool,
    /// Where the text stands.
    pub at: TextPosition,
}

/// Finds what a tree reads; refuses what cannot be meant.
pub(super) fn analyse(tree: &IdedExpr, places: &SourceInfo, source: &str) -> Result<Analysis, ExpressionError> {
    let mut walk = Walk { places, source, bound: Vec::new(), found: Analysis::default() };
    walk.visit(tree)?;
    let mut found = walk.found;
    found.references.sort_by_key(|reference| reference.at);
    found.comparisons.sort_by_key(|comparison| comparison.at);
    Ok(found)
}

struct Walk<'a> {
    places: &'a SourceInfo,
    source: &'a str,
    /// Names that the comprehensions around bind.
    bound: Vec<String>,
    found: Analysis,
}

impl Walk<'_> {
    fn visit(&mut self, tree: &IdedExpr) -> Result<(), ExpressionError> {
        if let Some((step, place)) = self.step_of(tree) {
            return self.step(step, place);
        }
        match &tree.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => {
                self.variable(name, tree);
                Ok(())
            }
            Expr::Select(select) => self.visit(&select.operand),
            Expr::List(list) => self.visit_all(&list.elements),
            Expr::Call(call) => self.call(call, tree),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => self.visit(&entry.key).and_then(|()| self.visit(&entry.value)),
                EntryExpr::StructField(field) => self.visit(&field.value),
            }),
            Expr::Struct(structure) => {
                let reason = format!("there is no type '{}'; write a map: {{'key': value}}", structure.type_name);
                Err(ExpressionError::new(self.at(tree), reason))
            }
            Expr::Comprehension(inner) => {
                self.visit(&inner.iter_range)?;
                let outer = self.bound.len();
                self.bound.extend([inner.iter_var.clone(), inner.accu_var.clone()]);
                self.bound.extend(inner.iter_var2.clone());
                for part in [&inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result] {
                    self.visit(part)?;
                }
                self.bound.truncate(outer);
                Ok(())
            }
        }
    }

    fn visit_all(&mut self, trees: &[IdedExpr]) -> Result<(), ExpressionError> {
        trees.iter().try_for_each(|tree| self.visit(tree))
    }

    fn call(&mut self, call: &CallExpr, tree: &IdedExpr) -> Result<(), ExpressionError> {
        let name = call.func_name.as_str();
        let is_operator = !name.starts_with(|first: char| first.is_ascii_alphabetic()) || name == "_";
        if !is_operator && !FUNCTIONS.contains(&name) {
            let known = FUNCTIONS.into_iter().chain(MACROS);
            let reason = if MACROS.contains(&name) {
                format!("{name}() is not called like this")
            } else {
                format!("there is no function '{name}'{}", did_you_mean(name, known))
            };
            return Err(ExpressionError::new(self.at_name(name, tree), reason));
        }
        self.comparison(call);
        call.target.iter().try_for_each(|target| self.visit(target))?;
        self.visit_all(&call.args)
    }

    fn variable(&mut self, name: &str, tree: &IdedExpr) {
        let subject = match name {
            _ if self.is_bound(name) || TYPES.contains(&name) => return,
            "order" => Subject::Order,
            "steps" => Subject::AllSteps,
            _ => Subject::Unknown(name.to_owned()),
        };
        let at = self.at(tree);
        self.found.references.push(Reference { subject, at });
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|bound| bound == name)
    }

    fn step(&mut self, step: String, place: &IdedExpr) -> Result<(), ExpressionError> {
        let at = self.at(place);
        let text = self.source.get(self.start(place) + "steps.".len()..).unwrap_or_default();
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).unwrap_or(text.len());
        let written = &text[..end];
        if written.strip_prefix(step.as_str()).is_some_and(|rest| rest.starts_with('-')) {
            let reason = format!("steps.{written} is a subtraction; write steps['{written}']");
            return Err(ExpressionError::new(at, reason));
        }
        self.found.references.push(Reference { subject: Subject::Step(step), at });
        Ok(())
    }

    /// The step that a tree names, and the part of the tree that says `steps`.
    fn step_of<'t>(&self, tree: &'t IdedExpr) -> Option<(String, &'t IdedExpr)> {
        let (base, name) = match &tree.expr {
            Expr::Select(select) => (select.operand.as_ref(), select.field.clone()),
            Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
                [base, index] => (base, text_of(index)?),
                _ => return None,
            },
            _ => return None,
        };
        let is_steps = matches!(&base.expr, Expr::Ident(name) if name == "steps" && !self.is_bound(name));
        is_steps.then_some((name, base))
    }

    fn comparison(&mut self, call: &CallExpr) {
        let equal = call.func_name == operators::EQUALS;
        let [left, right] = call.args.as_slice() else { return };
        if !equal && call.func_name != operators::NOT_EQUALS {
            return;
        }
        let sides = [(left, right), (right, left)];
        let found = sides.into_iter().find_map(|(one, other)| Some((self.outcome_of(one)?, text_of(other)?, other)));
        if let Some((step, outcome, place)) = found {
            let at = self.at(place);
            self.found.comparisons.push(Comparison { step, outcome, equal, at });
        }
    }

    fn outcome_of(&self, tree: &IdedExpr) -> Option<String> {
        match &tree.expr {
            Expr::Select(select) if !select.test && select.field == "outcome" => {
                self.step_of(&select.operand).map(|(step, _)| step)
            }
            _ => None,
        }
    }

    fn at(&self, tree: &IdedExpr) -> TextPosition {
        TextPosition::of_byte(self.source, self.start(tree))
    }

    /// The name of a function that is called: the parser places a call at its bracket.
    fn at_name(&self, name: &str, call: &IdedExpr) -> TextPosition {
        let bracket = self.start(call);
        let name = self.source.get(..bracket).and_then(|before| before.rfind(name));
        TextPosition::of_byte(self.source, name.unwrap_or(bracket))
    }

    /// The byte at which a part of the tree begins.
    fn start(&self, tree: &IdedExpr) -> usize {
        self.places.offset_for(tree.id).map_or(0, |(start, _)| start as usize)
    }
}

fn text_of(tree: &IdedExpr) -> Option<String> {
    match &tree.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_owned()),
        _ => None,
    }
}
