//! Finds mistakes that are certain before any order exists: the expression fails for every order,
//! or for every order without an optional value. The check of a workflow reports them.
//!
//! The types of attributes and of steps' data are unknown, so nothing is reported about them.
//! `dyn(…)` around another value suppresses reports about it.

use super::error::{Problem, named, text_beside_number};
use super::kind::Kind;
use super::presence::{Present, implied, of_items, path};
use super::tree::{Call, Gives, Loop, Node, Operator, Part, member};
use super::types::{ANY, BOOL, NUMBER, ORDER, STEP, Shape, TEXT, Type, always, names};
use crate::workflow::suggest::has_no_field;

/// A mistake in an expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The byte of the text.
    pub start: usize,
    pub reason: String,
}

/// Finds the mistakes of an expression. `present`: the values that are certainly not null there.
pub(super) fn find(tree: &Node, present: &Present, is_condition: bool) -> Vec<Mistake> {
    let mut checker = Checker { present: present.clone(), locals: Vec::new(), found: Vec::new() };
    if is_condition {
        checker.truth(tree);
    } else {
        checker.of(tree);
    }
    checker.found
}

struct Checker {
    present: Present,
    /// The types of the surrounding loops' variables.
    locals: Vec<Type>,
    found: Vec<Mistake>,
}

impl Checker {
    fn note(&mut self, node: &Node, reason: String) {
        self.found.push(Mistake { start: node.start, reason });
    }

    fn problem(&mut self, node: &Node, problem: &Problem<'_>) {
        self.note(node, problem.in_words());
    }

    /// Reports a value that is null for some orders, where null is not allowed.
    fn unless_null(&mut self, node: &Node, found: Type, what: &str) {
        if found.or_null {
            let name = named(node, "this");
            self.note(node, format!("{name} can be null{what}; test it first: {name} != null"));
        }
    }

    /// Checks a part for which more values are certainly not null.
    fn knowing<T>(&mut self, more: &Present, look: impl FnOnce(&mut Self) -> T) -> T {
        let known = self.present.clone();
        self.present.extend(more.iter().cloned());
        let result = look(self);
        self.present = known;
        result
    }

    fn of(&mut self, node: &Node) -> Type {
        let found = self.part(node);
        if found.or_null && path(node).is_some_and(|path| self.present.contains(&path)) { found.there() } else { found }
    }

    fn part(&mut self, node: &Node) -> Type {
        match &node.part {
            Part::Null => always(Shape::Null),
            Part::Bool(_) => BOOL,
            Part::Int(_) | Part::UInt(_) | Part::Double(_) => NUMBER,
            Part::Text(_) => TEXT,
            Part::Bytes(_) => always(Shape::Bytes),
            Part::Type(_) => always(Shape::Type),
            Part::Order => always(Shape::Map(Some(ORDER))),
            Part::Steps | Part::Unknown(_) | Part::Meaningless => ANY,
            Part::Local(depth, _) => self.locals.get(*depth).copied().unwrap_or(ANY),
            Part::Select { operand, field, test } => self.select(node, operand, field, *test),
            Part::Index(sides) => self.index(node, sides),
            Part::Not(operand) => self.truth(operand),
            Part::Negate(operand) => self.negated(operand),
            Part::And(sides) => self.joined(sides, true),
            Part::Or(sides) => self.joined(sides, false),
            Part::Conditional(parts) => self.conditional(parts),
            Part::Equals { sides, equal } => self.equality(node, sides, *equal),
            Part::Compare(comparator, sides) => self.comparison(node, sides, comparator.as_str()),
            Part::Calculate(operator, sides) => self.calculated(node, sides, *operator),
            Part::In(sides) => self.contained(sides),
            Part::List(parts) => {
                let items = parts.iter().map(|part| self.of(part)).reduce(Type::or);
                items.unwrap_or(ANY).listed()
            }
            Part::Map(entries) => {
                for entry in entries.iter().flatten() {
                    self.of(entry);
                }
                always(Shape::Map(None))
            }
            Part::Call(call) => self.call(node, call),
            Part::Loop(looped) => self.looped(looped),
        }
    }

    /// A part that must be true or false.
    fn truth(&mut self, node: &Node) -> Type {
        let found = self.of(node);
        match found.kind() {
            Some(kind) if kind != Kind::Bool => self.problem(node, &Problem::NotABool { part: node, kind }),
            _ => self.unless_null(node, found, ", which is neither true nor false"),
        }
        BOOL
    }

    fn select(&mut self, node: &Node, operand: &Node, field: &str, test: bool) -> Type {
        let found = if is_step(operand) { always(Shape::Map(Some(STEP))) } else { self.of(operand) };
        if test {
            if let Some(kind) = found.kind().filter(|kind| !matches!(kind, Kind::Map | Kind::Null)) {
                self.problem(operand, &Problem::NoField { of: operand, kind, field });
            }
            return BOOL;
        }
        self.unless_null(operand, found, &format!(", and then it has no '{field}'"));
        self.field(node, operand, found.there(), field)
    }

    fn field(&mut self, node: &Node, of: &Node, found: Type, field: &str) -> Type {
        let fields = match (found.shape, found.kind()) {
            (Shape::Map(Some(fields)), _) => fields,
            (Shape::Map(None), _) | (_, None) => return ANY,
            (_, Some(kind)) => {
                self.problem(of, &Problem::NoField { of, kind, field });
                return ANY;
            }
        };
        if let Some((_, known)) = fields.iter().find(|(name, _)| *name == field) {
            return *known;
        }
        // For `order` and for steps, the check of what expressions read reports unknown fields.
        if !matches!(of.part, Part::Order) && !is_step(of) {
            self.note(node, has_no_field(&named(of, "this"), field, &names(fields)));
        }
        ANY
    }

    fn index(&mut self, node: &Node, sides: &[Node; 2]) -> Type {
        let [of, key] = sides;
        if let Part::Text(field) = &key.part {
            let found = self.of(of);
            self.unless_null(of, found, &format!(", and then it has nothing under {}", member(field)));
            return match found.shape {
                Shape::Map(_) => self.field(node, of, found.there(), field),
                _ => self.not_indexed(of, found.there(), TEXT),
            };
        }
        let (found, index) = (self.of(of), self.of(key));
        self.unless_null(of, found, ", and then it has no items");
        match found.shape {
            Shape::List(items) if index.kind().is_none_or(Kind::is_number) => *items,
            Shape::Map(_) => ANY,
            _ => self.not_indexed(of, found.there(), index),
        }
    }

    fn not_indexed(&mut self, of: &Node, found: Type, index: Type) -> Type {
        if let (Some(kind), Some(index)) = (found.kind(), index.kind()) {
            self.problem(of, &Problem::NotAnIndex { of, kind, index });
        }
        ANY
    }

    fn negated(&mut self, operand: &Node) -> Type {
        let found = self.of(operand);
        match found.kind() {
            Some(kind) if !kind.is_number() => self.problem(operand, &Problem::NotNegatable { part: operand, kind }),
            _ => self.unless_null(operand, found, ", which '-' cannot work with"),
        }
        NUMBER
    }

    /// `&&` and `||`. Either side decides, even if the other is a fault. So each side may assume
    /// that the other one does not decide.
    fn joined(&mut self, sides: &[Node; 2], and: bool) -> Type {
        let known = sides.each_ref().map(|side| {
            let implied = implied(side, self.locals.len());
            if and { implied.holds } else { implied.fails }
        });
        for (side, other) in [(0, 1), (1, 0)] {
            self.knowing(&known[other], |checker| checker.truth(&sides[side]));
        }
        BOOL
    }

    fn conditional(&mut self, parts: &[Node; 3]) -> Type {
        let [condition, yes, no] = parts;
        self.truth(condition);
        let known = implied(condition, self.locals.len());
        let yes = self.knowing(&known.holds, |checker| checker.of(yes));
        let no = self.knowing(&known.fails, |checker| checker.of(no));
        yes.or(no)
    }

    fn equality(&mut self, node: &Node, sides: &[Node; 2], equal: bool) -> Type {
        let found = sides.each_ref().map(|side| self.of(side));
        let [Some(one), Some(other)] = found.map(|found| found.there().kind()) else { return BOOL };
        if one != other && ![one, other].contains(&Kind::Null) {
            let sign = if equal { "==" } else { "!=" };
            let [left, right] = [named(&sides[0], "the left side"), named(&sides[1], "the right side")];
            let help = text_beside_number(sides, sign, [one, other]).unwrap_or_default();
            let (is, was) = (one.in_words(), other.in_words());
            self.note(node, format!("{left} is {is} and {right} is {was}, which are never equal{help}"));
        }
        BOOL
    }

    fn comparison(&mut self, node: &Node, sides: &[Node; 2], sign: &'static str) -> Type {
        let found = sides.each_ref().map(|side| self.of(side));
        for (side, found) in sides.iter().zip(found) {
            self.unless_null(side, found, &format!(", which '{sign}' cannot compare"));
        }
        if let [Some(one), Some(other)] = found.map(|found| found.there().kind()) {
            let can = one == other && (one.is_number() || matches!(one, Kind::Bool | Kind::Text | Kind::Bytes));
            if !can {
                self.problem(node, &Problem::NotComparable { sides, sign, kinds: [one, other] });
            }
        }
        BOOL
    }

    fn calculated(&mut self, node: &Node, sides: &[Node; 2], operator: Operator) -> Type {
        let found = sides.each_ref().map(|side| self.of(side));
        for (side, found) in sides.iter().zip(found) {
            self.unless_null(side, found, &format!(", which '{}' cannot work with", operator.as_str()));
        }
        let adds = operator == Operator::Add;
        match found.map(|found| found.there().kind()) {
            [Some(one), Some(other)] if one.is_number() && other.is_number() => NUMBER,
            [Some(one), Some(other)] if adds && one == other && matches!(one, Kind::Text | Kind::Bytes) => {
                found[0].there()
            }
            [Some(Kind::List), Some(Kind::List)] if adds => match found.map(|found| found.shape) {
                [Shape::List(one), Shape::List(other)] => one.or(*other).listed(),
                _ => ANY.listed(),
            },
            // The items of a list and the keys of a map can be joined.
            [Some(Kind::List), Some(Kind::Map)] if adds => ANY.listed(),
            [Some(one), Some(other)] => {
                self.problem(node, &Problem::NotCalculable { sides, operator, kinds: [one, other] });
                ANY
            }
            _ if adds => ANY,
            _ => NUMBER,
        }
    }

    fn contained(&mut self, sides: &[Node; 2]) -> Type {
        let [item, within] = sides.each_ref().map(|side| self.of(side));
        self.unless_null(&sides[1], within, ", and then it has no items");
        match within.there().kind() {
            None | Some(Kind::List) => {}
            Some(Kind::Map) => {
                if let Some(kind @ (Kind::Null | Kind::List | Kind::Map | Kind::Bytes)) = item.kind() {
                    self.problem(&sides[1], &Problem::NotIn { sides, kinds: [kind, Kind::Map] });
                }
            }
            Some(kind) => {
                let kinds = [item.there().kind().unwrap_or(Kind::Null), kind];
                self.problem(&sides[1], &Problem::NotIn { sides, kinds });
            }
        }
        BOOL
    }

    fn call(&mut self, node: &Node, call: &Call) -> Type {
        let found: Vec<Type> = call.arguments.iter().map(|argument| self.of(argument)).collect();
        let name = call.function.as_str();
        let (takes, gives): (&[Kind], Type) = match name {
            "size" => (&[Kind::Text, Kind::Bytes, Kind::List, Kind::Map], NUMBER),
            "contains" | "startsWith" | "endsWith" | "matches" => (&[Kind::Text], BOOL),
            "string" => (&[Kind::Text, Kind::Bool, Kind::Int, Kind::Bytes], TEXT),
            "double" | "int" | "uint" => (&[Kind::Text, Kind::Int], NUMBER),
            "bool" => (&[Kind::Text, Kind::Bool], BOOL),
            "bytes" => (&[Kind::Text, Kind::Bytes], always(Shape::Bytes)),
            "type" => return always(Shape::Type),
            _ => return ANY,
        };
        for (argument, found) in call.arguments.iter().zip(&found) {
            self.unless_null(argument, *found, &format!(", which {name}() cannot work with"));
        }
        let kinds: Option<Vec<Kind>> = found.iter().map(|found| found.there().kind()).collect();
        if let Some(kinds) = kinds.filter(|kinds| !kinds.iter().all(|kind| takes.contains(kind))) {
            self.problem(node, &Problem::Function { name, arguments: &call.arguments, kinds });
        }
        gives
    }

    fn looped(&mut self, looped: &Loop) -> Type {
        let range = self.of(&looped.range);
        self.unless_null(&looped.range, range, ", and then there is nothing to go through");
        let item = match (range.shape, range.there().kind()) {
            (Shape::List(item), _) => *item,
            (Shape::Map(_), _) => TEXT,
            (_, None) => ANY,
            (_, Some(kind)) => {
                self.problem(&looped.range, &Problem::NotARange { part: &looped.range, kind });
                ANY
            }
        };
        let depth = self.locals.len();
        let of_items = of_items(&self.present, &looped.range, depth);
        self.locals.push(item);
        let body = self.knowing(&of_items, |checker| checker.body(looped, item));
        self.locals.pop();
        match looped.gives {
            Gives::All | Gives::Exists | Gives::ExistsOne => BOOL,
            Gives::List => body.listed(),
        }
    }

    /// The type that a loop produces for an item.
    fn body(&mut self, looped: &Loop, item: Type) -> Type {
        if looped.gives != Gives::List {
            return self.truth(&looped.body);
        }
        let Some(guard) = &looped.guard else { return self.of(&looped.body) };
        self.truth(guard);
        let known = implied(guard, self.locals.len());
        let body = self.knowing(&known.holds, |checker| checker.of(&looped.body));
        if body == item { body.chosen() } else { body }
    }
}

/// Whether a part is a step: `steps.ship` or `steps['create-order']`.
fn is_step(node: &Node) -> bool {
    match &node.part {
        Part::Select { operand, test: false, .. } => matches!(operand.part, Part::Steps),
        Part::Index(sides) => matches!(sides[0].part, Part::Steps),
        _ => false,
    }
}
