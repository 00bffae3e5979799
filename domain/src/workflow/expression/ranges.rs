//! Bounds on what an expression goes through with `map`, `filter`, `all` and `exists`.
//!
//! The range of each is wrapped, while compiling, in a call to a function that people cannot write. It gives the keys of a map in
//! their order (by themselves they come in a random one), and takes the work ahead from a budget before it is done.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::common::types::CelInt;
use cel::objects::Value;
use cel::{Context, ExecutionError};

/// The function's name: no name that the parser accepts.
pub(super) const FUNCTION: &str = "@range";

/// What one evaluation may go through: values, times the names read for each.
pub(super) struct Budget(AtomicU64);

impl Budget {
    const UNITS: u64 = 1_000_000;

    pub(super) fn full() -> Self {
        Self(AtomicU64::new(Self::UNITS))
    }

    fn spend(&self, units: u64) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(units)).is_ok()
    }
}

/// Makes the function known to a context.
pub(super) fn provide(context: &mut Context<'_, '_>, budget: Budget) {
    let range = move |values: Value, factor: i64| -> Result<Value, ExecutionError> {
        let factor = factor.unsigned_abs().saturating_add(1);
        if budget.spend(weight(&values, Budget::UNITS).saturating_mul(factor)) {
            Ok(in_order(values))
        } else {
            Err(ExecutionError::function_error(FUNCTION, "too much work"))
        }
    };
    // Only a name of the standard library is refused, and this is none.
    let _ = context.add_function(FUNCTION, range);
}

/// Wraps every range of an expression.
pub(super) fn bound(tree: &mut IdedExpr) {
    for_each_child(&mut tree.expr, &mut bound);
    if let Expr::Comprehension(comprehension) = &mut tree.expr {
        let mut names = 0;
        count_names(&mut comprehension.loop_step, &mut names);
        let range = std::mem::take(&mut comprehension.iter_range);
        let (id, factor) = (range.id, Expr::Literal(LiteralValue::Int(CelInt::from(names))));
        let args = vec![range, IdedExpr { id, expr: factor }];
        comprehension.iter_range =
            IdedExpr { id, expr: Expr::Call(CallExpr { func_name: FUNCTION.to_owned(), target: None, args }) };
    }
}

fn count_names(tree: &mut IdedExpr, names: &mut i64) {
    if let Expr::Ident(_) = tree.expr {
        *names += 1;
    }
    for_each_child(&mut tree.expr, &mut |child| count_names(child, names));
}

fn for_each_child(expr: &mut Expr, visit: &mut dyn FnMut(&mut IdedExpr)) {
    match expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        Expr::Call(call) => call.target.iter_mut().map(AsMut::as_mut).chain(&mut call.args).for_each(visit),
        Expr::Comprehension(inner) => {
            let inner = inner.as_mut();
            let parts = [&mut inner.iter_range, &mut inner.accu_init, &mut inner.loop_cond, &mut inner.loop_step];
            parts.into_iter().chain([&mut inner.result]).for_each(visit);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(visit),
        Expr::Select(select) => visit(&mut select.operand),
        Expr::Map(map) => map.entries.iter_mut().for_each(|entry| visit_entry(&mut entry.expr, visit)),
        Expr::Struct(structure) => structure.entries.iter_mut().for_each(|entry| visit_entry(&mut entry.expr, visit)),
    }
}

fn visit_entry(entry: &mut EntryExpr, visit: &mut dyn FnMut(&mut IdedExpr)) {
    match entry {
        EntryExpr::StructField(field) => visit(&mut field.value),
        EntryExpr::MapEntry(entry) => {
            visit(&mut entry.key);
            visit(&mut entry.value);
        }
    }
}

/// A list as it is, the keys of a map in their order.
fn in_order(values: Value) -> Value {
    match values {
        Value::Map(map) => Value::from(map.map.keys().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()),
        other => other,
    }
}

/// How many values there are within a value; long texts count for several. Stops counting at the limit.
fn weight(value: &Value, limit: u64) -> u64 {
    const BYTES_PER_UNIT: usize = 64;
    let of_bytes = |length: usize| 1 + u64::try_from(length / BYTES_PER_UNIT).unwrap_or(u64::MAX);
    match value {
        Value::List(items) => sum(items.iter(), limit),
        Value::Map(map) => sum(map.map.values(), limit),
        Value::String(text) => of_bytes(text.len()),
        Value::Bytes(bytes) => of_bytes(bytes.len()),
        _ => 1,
    }
}

fn sum<'a>(mut values: impl Iterator<Item = &'a Value>, limit: u64) -> u64 {
    let total = values.try_fold(1_u64, |sum, value| {
        let sum = sum.saturating_add(weight(value, limit));
        if sum < limit { Ok(sum) } else { Err(sum) }
    });
    total.unwrap_or_else(|beyond| beyond)
}
