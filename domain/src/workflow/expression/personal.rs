//! Whether the value of an expression depends on the content of personal data, not only on whether
//! they exist.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use super::syntax::selection;

/// `order.customer.email != null` can still be answered when the data are sealed. Country, region
/// and the shop's customer id identify no person.
pub(super) fn looks_into(tree: &IdedExpr) -> bool {
    if let Some(path) = path(tree) {
        return is_personal(&path);
    }
    match &tree.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => false,
        Expr::Select(select) => looks_into(&select.operand),
        Expr::List(list) => list.elements.iter().any(looks_into),
        Expr::Call(call) if matches!(call.func_name.as_str(), operators::EQUALS | operators::NOT_EQUALS) => {
            !call.args.iter().any(is_null) && call.args.iter().any(looks_into)
        }
        Expr::Call(call) => call.target.iter().any(|target| looks_into(target)) || call.args.iter().any(looks_into),
        Expr::Map(map) => map.entries.iter().any(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => looks_into(&entry.key) || looks_into(&entry.value),
            EntryExpr::StructField(field) => looks_into(&field.value),
        }),
        // No expression has one.
        Expr::Struct(_) => true,
        Expr::Comprehension(inner) => {
            let parts = [&inner.iter_range, &inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result];
            parts.into_iter().any(looks_into)
        }
    }
}

/// The names on the path from `order` to what a tree selects.
fn path(tree: &IdedExpr) -> Option<Vec<String>> {
    if let Expr::Ident(name) = &tree.expr {
        return (name == "order").then(Vec::new);
    }
    let (base, name) = selection(tree)?;
    let mut path = path(base)?;
    path.push(name);
    Some(path)
}

fn is_personal(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["customer", field, ..] => *field != "id",
        ["shipTo", field, ..] => !matches!(*field, "country" | "region"),
        [] | ["customer" | "shipTo"] => true,
        _ => false,
    }
}

fn is_null(tree: &IdedExpr) -> bool {
    matches!(&tree.expr, Expr::Literal(LiteralValue::Null))
}

#[cfg(test)]
mod tests {
    use super::super::Expression;

    #[test]
    fn a_test_for_a_mail_address_does_not_read_it() {
        for (looks, text) in [
            (false, "order.customer.email != null && order.total != '0.00'"),
            (false, "null == order.shipTo"),
            (false, "order.customer.id == 'VINET' && order.shipTo.country in ['France', 'Italy']"),
            (false, "order.lines.exists(line, line.sku == '11') && steps.ship.outcome == 'shipped'"),
            (true, "order.customer.email.endsWith('@shop.example')"),
            (true, "order.customer['name'] == 'Ann'"),
            (true, "order.shipTo.city == order.shipTo.country"),
            (true, "size(order.customer) == 3"),
            (true, "[order].exists(o, o.customer.name == 'Ann')"),
            (true, "{'to': order.shipTo} != null || order.shipTo.street == order.attributes.street"),
        ] {
            assert_eq!(Expression::compile(text).unwrap().looks_into_personal_data(), looks, "{text}");
        }
    }
}
