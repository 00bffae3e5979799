//! Small questions about the parsed text of an expression.

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};

/// The base and the selected name of `base.name` or `base['name']`.
pub(super) fn selection(tree: &IdedExpr) -> Option<(&IdedExpr, String)> {
    match &tree.expr {
        Expr::Select(select) => Some((select.operand.as_ref(), select.field.clone())),
        Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
            [base, index] => Some((base, text_of(index)?)),
            _ => None,
        },
        _ => None,
    }
}

/// The text, if the tree is a constant text.
pub(super) fn text_of(tree: &IdedExpr) -> Option<String> {
    match &tree.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_owned()),
        _ => None,
    }
}
