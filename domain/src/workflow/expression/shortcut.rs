//! Expressions that need no evaluation: a fixed text, or the way to a value that is there. Most inputs are nothing else.

use cel::common::ast::{Expr, IdedExpr, operators};
use serde_json::Value;

use super::Scope;
use super::analysis::text_of;

/// What an expression comes to, without evaluating it.
pub(super) enum Shortcut {
    /// A fixed text.
    Text(String),
    /// A field of a field of … `order` or `steps`.
    Path { variable: Variable, names: Vec<String> },
}

#[derive(Clone, Copy)]
pub(super) enum Variable {
    Order,
    Steps,
}

impl Shortcut {
    /// `None`: it has to be evaluated.
    pub fn of(tree: &IdedExpr) -> Option<Self> {
        if let Some(text) = text_of(tree) {
            return Some(Shortcut::Text(text));
        }
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
        Some(Shortcut::Path { variable, names })
    }

    /// The value; `None` where there is none, and an evaluation has to say what is wrong.
    pub fn value(&self, scope: &Scope) -> Option<Value> {
        match self {
            Shortcut::Text(text) => Some(Value::from(text.as_str())),
            Shortcut::Path { variable, names } => {
                let root = match variable {
                    Variable::Order => &scope.order,
                    Variable::Steps => &scope.steps,
                };
                names.iter().try_fold(root, |value, name| value.as_object()?.get(name)).cloned()
            }
        }
    }
}
