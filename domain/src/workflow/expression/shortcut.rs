//! Expressions that need no evaluation: a fixed text, or the way to a value that is there. Most inputs are nothing else.

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};
use serde_json::Value;

use super::Scope;
use super::analysis::text_of;

/// What an expression comes to, without evaluating it.
pub(super) enum Shortcut {
    /// A fixed text.
    Text(String),
    /// A field of a field of … `order` or `steps`.
    Path(Path),
    /// Such a field, compared with a fixed text, or (none) with `null`.
    Comparison { path: Path, with: Option<String>, equal: bool },
}

/// The way to a value.
pub(super) struct Path {
    variable: Variable,
    names: Vec<String>,
}

#[derive(Clone, Copy)]
enum Variable {
    Order,
    Steps,
}

impl Shortcut {
    /// `None`: it has to be evaluated.
    pub fn of(tree: &IdedExpr) -> Option<Self> {
        if let Some(text) = text_of(tree) {
            return Some(Shortcut::Text(text));
        }
        Self::comparison(tree).or_else(|| Path::of(tree).map(Shortcut::Path))
    }

    fn comparison(tree: &IdedExpr) -> Option<Self> {
        let Expr::Call(call) = &tree.expr else { return None };
        let equal = call.func_name == operators::EQUALS;
        let [left, right] = call.args.as_slice() else { return None };
        if !equal && call.func_name != operators::NOT_EQUALS {
            return None;
        }
        let with = match &right.expr {
            Expr::Literal(LiteralValue::Null) => None,
            _ => Some(text_of(right)?),
        };
        Some(Shortcut::Comparison { path: Path::of(left)?, with, equal })
    }

    /// The value; `None` where there is none, and an evaluation has to say what is wrong.
    pub fn value(&self, scope: &Scope) -> Option<Value> {
        match self {
            Shortcut::Text(text) => Some(Value::from(text.as_str())),
            Shortcut::Path(path) => path.value(scope).cloned(),
            Shortcut::Comparison { path, with, equal } => {
                // Only of these is it plain what comes of comparing them.
                let same = match (path.value(scope)?, with) {
                    (Value::String(value), Some(text)) => value == text,
                    (Value::String(_), None) => false,
                    (Value::Null, None) => true,
                    _ => return None,
                };
                Some(Value::Bool(same == *equal))
            }
        }
    }
}

impl Path {
    fn of(tree: &IdedExpr) -> Option<Self> {
        let mut names = Vec::new();
        let mut at = tree;
        let variable = loop {
            match &at.expr {
                Expr::Select(select) if !select.test => {
                    names.push(select.field.clone());
                    at = &select.operand;
                }
                Expr::Call(call) if call.func_name == operators::INDEX => {
                    let [base, index] = call.args.as_slice() else { return None };
                    names.push(text_of(index)?);
                    at = base;
                }
                Expr::Ident(name) if name == "order" => break Variable::Order,
                Expr::Ident(name) if name == "steps" => break Variable::Steps,
                _ => return None,
            }
        };
        names.reverse();
        Some(Self { variable, names })
    }

    fn value<'s>(&self, scope: &'s Scope) -> Option<&'s Value> {
        let root = match self.variable {
            Variable::Order => &scope.order,
            Variable::Steps => &scope.steps,
        };
        self.names.iter().try_fold(root, |value, name| value.as_object()?.get(name))
    }
}
