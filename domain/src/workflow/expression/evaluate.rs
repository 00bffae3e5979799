//! The value of an expression: one walk over its tree. Each part pays before it is evaluated.

use super::functions::{Patterns, Resources};
use super::items::{is_key, item, items_of, lookup, under, whole};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::budget::Budget;
use super::error::{Problem, Trouble};
use super::kind::Kind;
use super::scope::Scope;
use super::tree::{Comparator, Gives, Loop, Node, Part};
use super::value::{Bytes, Key, KeyView, Origin, Outcome, Text, Value, Viewed};
use super::{functions, operators};

/// One evaluation.
pub(super) struct Evaluation<'a> {
    scope: &'a Scope,
    pub budget: Budget,
    /// The variables of the surrounding loops, from the outside.
    locals: RefCell<Vec<Value<'a>>>,
    patterns: Patterns,
}

impl<'a> Evaluation<'a> {
    pub fn of(scope: &'a Scope, units: u64) -> Self {
        let (locals, patterns) = (RefCell::default(), RefCell::default());
        Self { scope, budget: Budget::of(units), locals, patterns }
    }

    pub fn value(&self, node: &'a Node) -> Outcome<'a> {
        self.budget.spend(1)?;
        match &node.part {
            Part::Null => Ok(Value::Null),
            Part::Bool(truth) => Ok(Value::Bool(*truth)),
            Part::Int(int) => Ok(Value::Int(*int)),
            Part::UInt(uint) => Ok(Value::UInt(*uint)),
            Part::Double(double) => Ok(Value::Double(*double)),
            Part::Text(text) => Ok(Value::Text(Text::borrowed(text))),
            Part::Type(kind) => Ok(Value::Type(*kind)),
            Part::Bytes(bytes) => self.constant_bytes(bytes),
            Part::Order => {
                let origin = if self.scope.placeholders { Origin::Order } else { Origin::Data };
                Value::of_json(&self.scope.order, origin)
            }
            Part::Steps => Value::of_json(&self.scope.steps, Origin::Data),
            Part::Local(depth, _) => self.local(*depth, node),
            Part::Unknown(name) => Err(Problem::Unknown { name }.at(node)),
            Part::Meaningless => Err(Problem::Meaningless.at(node)),
            Part::Select { operand, field, test } => self.select(operand, field, *test),
            Part::Index(sides) => self.index(sides),
            Part::Not(operand) => Ok(Value::Bool(!self.truth(operand)?)),
            Part::Negate(operand) => self.negated(operand),
            Part::And(sides) => self.both(sides),
            Part::Or(sides) => self.either(sides),
            Part::Conditional(parts) => {
                let chosen = if self.truth(&parts[0])? { &parts[1] } else { &parts[2] };
                self.value(chosen)
            }
            Part::Equals { sides, equal } => self.equality(sides, *equal),
            Part::Compare(comparator, sides) => self.comparison(*comparator, sides, node),
            Part::Calculate(operator, sides) => {
                let (one, other) = (self.value(&sides[0])?, self.value(&sides[1])?);
                operators::calculated(&self.budget, *operator, one, other, sides, node)
            }
            Part::In(sides) => self.contained(sides),
            Part::List(parts) => self.list(parts),
            Part::Map(entries) => self.map(entries, node),
            Part::Call(call) => {
                let values = self.values(&call.arguments)?;
                let resources = Resources { budget: &self.budget, patterns: &self.patterns };
                functions::called(resources, call, &values, node)
            }
            Part::Loop(looped) => self.looped(looped),
        }
    }

    fn values(&self, parts: &'a [Node]) -> Result<Vec<Value<'a>>, Trouble<'a>> {
        parts.iter().map(|part| self.value(part)).collect()
    }

    fn constant_bytes(&self, bytes: &'a [u8]) -> Outcome<'a> {
        self.budget.bytes(bytes.len())?;
        Ok(Value::Bytes(Bytes { bytes: bytes.into(), marks: None }))
    }

    fn local(&self, depth: usize, node: &'a Node) -> Outcome<'a> {
        self.locals.borrow().get(depth).cloned().ok_or_else(|| Problem::Meaningless.at(node))
    }

    /// True or false; anything else is a fault.
    fn truth(&self, node: &'a Node) -> Result<bool, Trouble<'a>> {
        match self.value(node)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(Problem::NotABool { part: node, kind: other.kind() }.at(node)),
        }
    }

    /// `false` on either side decides, even if the other side is a fault.
    fn both(&self, sides: &'a [Node; 2]) -> Outcome<'a> {
        self.decided(sides, false)
    }

    /// `true` on either side decides, even if the other side is a fault.
    fn either(&self, sides: &'a [Node; 2]) -> Outcome<'a> {
        self.decided(sides, true)
    }

    fn decided(&self, sides: &'a [Node; 2], deciding: bool) -> Outcome<'a> {
        let one = match self.truth(&sides[0]) {
            Ok(truth) if truth == deciding => return Ok(Value::Bool(deciding)),
            Err(Trouble::TooMuchWork) => return Err(Trouble::TooMuchWork),
            other => other,
        };
        let other = self.truth(&sides[1])?;
        if other == deciding { Ok(Value::Bool(deciding)) } else { one.map(Value::Bool) }
    }

    fn select(&self, operand: &'a Node, field: &'a str, test: bool) -> Outcome<'a> {
        let value = self.value(operand)?;
        let found = match &value {
            Value::Object(fields, origin) => Value::of_field(fields, *origin, field)?,
            Value::Map(entries) => entries.get(&KeyView::Text(field) as &dyn Viewed).cloned(),
            // Null has no fields: has(order.shipTo.city) tests both.
            Value::Null if test => None,
            other => return Err(Problem::NoField { of: operand, kind: other.kind(), field }.at(operand)),
        };
        match found {
            _ if test => Ok(Value::Bool(found.is_some())),
            Some(value) => Ok(value),
            None => Err(Problem::NoField { of: operand, kind: Kind::Map, field }.at(operand)),
        }
    }

    fn index(&self, sides: &'a [Node; 2]) -> Outcome<'a> {
        let [of, key] = sides;
        let (value, index) = (self.value(of)?, self.value(key)?);
        let not_an_index = || Problem::NotAnIndex { of, kind: value.kind(), index: index.kind() }.at(of);
        match &value {
            Value::Array(_) | Value::List(_) => {
                let Some(place) = whole(&index) else { return Err(not_an_index()) };
                let place = usize::try_from(place).ok();
                let item = place.and_then(|place| item(&value, place));
                item.unwrap_or_else(|| Err(Problem::BeyondTheEnd { of }.at(of)))
            }
            Value::Object(..) | Value::Map(_) if is_key(&index) => {
                under(&value, &index)?.ok_or_else(|| Problem::NoKey { of, key }.at(of))
            }
            _ => Err(not_an_index()),
        }
    }

    fn negated(&self, operand: &'a Node) -> Outcome<'a> {
        match self.value(operand)? {
            Value::Int(int) => {
                let negated = int.checked_neg().map(Value::Int);
                negated.ok_or_else(|| Problem::TooLarge { operator: "-" }.at(operand))
            }
            Value::Double(double) => Ok(Value::Double(-double)),
            other => Err(Problem::NotNegatable { part: operand, kind: other.kind() }.at(operand)),
        }
    }

    fn equality(&self, sides: &'a [Node; 2], equal: bool) -> Outcome<'a> {
        let (one, other) = (self.value(&sides[0])?, self.value(&sides[1])?);
        Ok(Value::Bool(operators::equal(&self.budget, &one, &other)? == equal))
    }

    fn comparison(&self, comparator: Comparator, sides: &'a [Node; 2], node: &'a Node) -> Outcome<'a> {
        let (one, other) = (self.value(&sides[0])?, self.value(&sides[1])?);
        let Some(order) = operators::compared(&self.budget, &one, &other)? else {
            let kinds = [one.kind(), other.kind()];
            return Err(Problem::NotComparable { sides, sign: comparator.as_str(), kinds }.at(node));
        };
        Ok(Value::Bool(match comparator {
            Comparator::Less => order.is_lt(),
            Comparator::LessOrEqual => order.is_le(),
            Comparator::Greater => order.is_gt(),
            Comparator::GreaterOrEqual => order.is_ge(),
        }))
    }

    fn contained(&self, sides: &'a [Node; 2]) -> Outcome<'a> {
        let (item, within) = (self.value(&sides[0])?, self.value(&sides[1])?);
        let not_in = || Problem::NotIn { sides, kinds: [item.kind(), within.kind()] }.at(&sides[1]);
        match &within {
            Value::Array(items) => {
                for other in *items {
                    if operators::equal(&self.budget, &Value::of_json(other, Origin::Data)?, &item)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            Value::List(items) => {
                for other in items.iter() {
                    if operators::equal(&self.budget, other, &item)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            Value::Object(..) | Value::Map(_) if is_key(&item) => Ok(Value::Bool(under(&within, &item)?.is_some())),
            _ => Err(not_in()),
        }
    }

    fn list(&self, parts: &'a [Node]) -> Outcome<'a> {
        self.budget.items(parts.len())?;
        self.values(parts).map(Value::list)
    }

    fn map(&self, entries: &'a [[Node; 2]], node: &'a Node) -> Outcome<'a> {
        self.budget.items(entries.len())?;
        let mut map = BTreeMap::new();
        for [key, value] in entries {
            let key = self.key(key)?;
            // Equal numbers of different types are the same key.
            if lookup(&map, &key.value()).is_some() {
                return Err(Problem::KeyTwice.at(node));
            }
            map.insert(key, self.value(value)?);
        }
        Ok(Value::Map(Rc::new(map)))
    }

    fn key(&self, part: &'a Node) -> Result<Key<'a>, Trouble<'a>> {
        match self.value(part)? {
            Value::Int(int) => Ok(Key::Int(int)),
            Value::UInt(uint) => Ok(Key::UInt(uint)),
            Value::Bool(truth) => Ok(Key::Bool(truth)),
            Value::Text(text) => Ok(Key::Text(text)),
            other => Err(Problem::NotAKey { part, kind: other.kind() }.at(part)),
        }
    }

    fn looped(&self, looped: &'a Loop) -> Outcome<'a> {
        let range = self.value(&looped.range)?;
        let items = self.items(&range, &looped.range)?;
        match looped.gives {
            Gives::All => self.decided_by_items(looped, items, false),
            Gives::Exists => self.decided_by_items(looped, items, true),
            Gives::ExistsOne => {
                let mut found = 0_usize;
                for item in items {
                    if self.with(item, || self.truth(&looped.body))? {
                        found += 1;
                    }
                }
                Ok(Value::Bool(found == 1))
            }
            Gives::List => self.mapped(looped, items),
        }
    }

    /// `all` and `exists`: one item can decide, even if an earlier item is a fault.
    fn decided_by_items(&self, looped: &'a Loop, items: Vec<Value<'a>>, deciding: bool) -> Outcome<'a> {
        let mut fault = None;
        for item in items {
            match self.with(item, || self.truth(&looped.body)) {
                Ok(truth) if truth == deciding => return Ok(Value::Bool(deciding)),
                Ok(_) => {}
                Err(Trouble::TooMuchWork) => return Err(Trouble::TooMuchWork),
                Err(trouble) => fault = Some(trouble),
            }
        }
        fault.map_or(Ok(Value::Bool(!deciding)), Err)
    }

    fn mapped(&self, looped: &'a Loop, items: Vec<Value<'a>>) -> Outcome<'a> {
        let mut mapped = Vec::new();
        for item in items {
            let value = self.with(item, || match &looped.guard {
                Some(guard) if !self.truth(guard)? => Ok(None),
                _ => self.value(&looped.body).map(Some),
            });
            mapped.extend(value?);
        }
        Ok(Value::list(mapped))
    }

    /// Evaluates with one more bound variable.
    fn with<T>(&self, item: Value<'a>, evaluate: impl FnOnce() -> Result<T, Trouble<'a>>) -> Result<T, Trouble<'a>> {
        self.budget.spend(1)?;
        self.locals.borrow_mut().push(item);
        let result = evaluate();
        self.locals.borrow_mut().pop();
        result
    }

    /// The items of a list, or the keys of a map, in their order.
    fn items(&self, range: &Value<'a>, part: &'a Node) -> Result<Vec<Value<'a>>, Trouble<'a>> {
        items_of(&self.budget, range)?.ok_or_else(|| Problem::NotARange { part, kind: range.kind() }.at(part))
    }
}
