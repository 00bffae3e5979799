//! Finds what an expression reads, without evaluating it.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, SourceInfo, operators};

use super::syntax::{selection, text_of};
use super::{ExpressionError, TextPosition, personal};
use crate::workflow::suggest::did_you_mean;

/// Functions that an expression may call. CEL's functions that read a clock or a time zone are left
/// out.
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
/// Macros, which the parser has replaced by now. Suggestions need their names.
const MACROS: [&str; 6] = ["has", "all", "exists", "exists_one", "filter", "map"];
/// Names of types, for comparison with `type(x)`.
const TYPES: [&str; 9] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];

/// What an expression reads.
#[derive(Debug, Default)]
pub(super) struct Analysis {
    pub references: Vec<Reference>,
    pub comparisons: Vec<Comparison>,
    pub data: Vec<DataPath>,
    pub looks_into_personal_data: bool,
    pub may_take_long: bool,
}

/// A path within the data of a step's answer: `steps.ship.data.tracking`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataPath {
    /// The step.
    pub step: String,
    /// The names on the path, from the outside.
    pub names: Vec<String>,
}

/// A variable or a step that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The variable or step.
    pub subject: Subject,
    /// The place in the text.
    pub at: TextPosition,
}

/// What an expression can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The order, or one of its fields.
    Order {
        /// The field, if the expression names one: `order.total`.
        field: Option<String>,
    },
    /// One step: `steps.ship` or `steps['create-order']`, or one of its fields.
    Step {
        /// The step.
        id: String,
        /// The field, if the expression names one: `steps.ship.outcome`.
        field: Option<String>,
    },
    /// `steps` alone, or with an index that only the evaluation knows.
    AllSteps,
    /// An unknown variable.
    Unknown(String),
}

/// A comparison of a step's outcome with a constant text: `steps.ship.outcome == 'shipped'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The step.
    pub step: String,
    /// The text.
    pub outcome: String,
    /// `==`, not `!=`.
    pub equal: bool,
    /// The expression cannot hold without this comparison: it is the whole, or one side of `&&`.
    pub required: bool,
    /// The place of the text.
    pub at: TextPosition,
}

/// Finds what a tree reads. Refuses what cannot be meant.
pub(super) fn analyse(tree: &IdedExpr, places: &SourceInfo, source: &str) -> Result<Analysis, ExpressionError> {
    let mut walk = Walk { places, source, bound: Vec::new(), required: Vec::new(), found: Analysis::default() };
    conjuncts(tree, &mut walk.required);
    walk.visit(tree)?;
    let mut found = walk.found;
    found.looks_into_personal_data = personal::looks_into(tree);
    found.references.sort_by_key(|reference| reference.at);
    found.comparisons.sort_by_key(|comparison| comparison.at);
    Ok(found)
}

struct Walk<'a> {
    places: &'a SourceInfo,
    source: &'a str,
    /// Names that the surrounding comprehensions bind.
    bound: Vec<String>,
    /// The parts that must hold for the whole to hold.
    required: Vec<u64>,
    found: Analysis,
}

impl Walk<'_> {
    fn visit(&mut self, tree: &IdedExpr) -> Result<(), ExpressionError> {
        self.found.data.extend(self.data_path(tree));
        if let Some((subject, place)) = self.subject_of(tree) {
            return self.read(subject, place);
        }
        match &tree.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => {
                if !self.is_bound(name) && !TYPES.contains(&name.as_str()) {
                    self.found.references.push(Reference { subject: variable(name), at: self.at(tree) });
                }
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
                self.found.may_take_long = true;
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
        self.found.may_take_long |= name == "matches";
        self.comparison(call, tree.id);
        call.target.iter().try_for_each(|target| self.visit(target))?;
        self.visit_all(&call.args)
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|bound| bound == name)
    }

    /// Records a reference, unless the parser read a `-` in a name as a subtraction.
    fn read(&mut self, subject: Subject, place: &IdedExpr) -> Result<(), ExpressionError> {
        let at = self.at(place);
        if let Subject::Step { id, .. } = &subject {
            let text = self.source.get(self.start(place) + "steps.".len()..).unwrap_or_default();
            let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).unwrap_or(text.len());
            let written = &text[..end];
            if written.strip_prefix(id.as_str()).is_some_and(|rest| rest.starts_with('-')) {
                let reason = format!("steps.{written} is a subtraction; write steps['{written}']");
                return Err(ExpressionError::new(at, reason));
            }
        }
        self.found.references.push(Reference { subject, at });
        Ok(())
    }

    /// What a tree reads, if it selects from `order` or `steps`, and the variable that it selects
    /// from.
    fn subject_of<'t>(&self, tree: &'t IdedExpr) -> Option<(Subject, &'t IdedExpr)> {
        if let Some((id, steps)) = self.step_of(tree) {
            return Some((Subject::Step { id, field: None }, steps));
        }
        let (base, field) = selection(tree)?;
        if let Some((id, steps)) = self.step_of(base) {
            return Some((Subject::Step { id, field: Some(field) }, steps));
        }
        self.is_variable(base, "order").then_some((Subject::Order { field: Some(field) }, base))
    }

    /// What a tree reads within the data of a step.
    fn data_path(&self, tree: &IdedExpr) -> Option<DataPath> {
        let (base, name) = selection(tree)?;
        if let Some((inner, field)) = selection(base)
            && field == "data"
            && let Some((step, _)) = self.step_of(inner)
        {
            return Some(DataPath { step, names: vec![name] });
        }
        let mut path = self.data_path(base)?;
        path.names.push(name);
        Some(path)
    }

    /// The step that a tree names, and the part of the tree that is `steps`.
    fn step_of<'t>(&self, tree: &'t IdedExpr) -> Option<(String, &'t IdedExpr)> {
        let (base, id) = selection(tree)?;
        self.is_variable(base, "steps").then_some((id, base))
    }

    fn is_variable(&self, tree: &IdedExpr, wanted: &str) -> bool {
        matches!(&tree.expr, Expr::Ident(name) if name == wanted && !self.is_bound(name))
    }

    fn comparison(&mut self, call: &CallExpr, id: u64) {
        let equal = call.func_name == operators::EQUALS;
        let [left, right] = call.args.as_slice() else { return };
        if !equal && call.func_name != operators::NOT_EQUALS {
            return;
        }
        let sides = [(left, right), (right, left)];
        let found = sides.into_iter().find_map(|(one, other)| Some((self.outcome_of(one)?, text_of(other)?, other)));
        if let Some((step, outcome, place)) = found {
            let at = self.at(place);
            let required = self.required.contains(&id);
            self.found.comparisons.push(Comparison { step, outcome, equal, required, at });
        }
    }

    fn outcome_of(&self, tree: &IdedExpr) -> Option<String> {
        let (base, field) = selection(tree)?;
        if field == "outcome" { self.step_of(base).map(|(step, _)| step) } else { None }
    }

    fn at(&self, tree: &IdedExpr) -> TextPosition {
        TextPosition::of_byte(self.source, self.start(tree))
    }

    /// The place of a called function's name. The parser places a call at its bracket.
    fn at_name(&self, name: &str, call: &IdedExpr) -> TextPosition {
        let bracket = self.start(call);
        let name = self.source.get(..bracket).and_then(|before| before.rfind(name));
        TextPosition::of_byte(self.source, name.unwrap_or(bracket))
    }

    /// The first byte of a part of the tree.
    fn start(&self, tree: &IdedExpr) -> usize {
        self.places.offset_for(tree.id).map_or(0, |(start, _)| start as usize)
    }
}

/// The variable of this name.
fn variable(name: &str) -> Subject {
    match name {
        "order" => Subject::Order { field: None },
        "steps" => Subject::AllSteps,
        _ => Subject::Unknown(name.to_owned()),
    }
}

/// The parts that `&&` joins.
fn conjuncts(tree: &IdedExpr, found: &mut Vec<u64>) {
    found.push(tree.id);
    if let Expr::Call(call) = &tree.expr
        && call.func_name == operators::LOGICAL_AND
    {
        call.args.iter().for_each(|part| conjuncts(part, found));
    }
}
