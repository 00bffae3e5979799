//! The compiled form of an expression: the parser's tree with resolved names, macros as loops, and
//! the place of each part.

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};

use super::kind::Kind;

/// A part of an expression.
pub(super) struct Node {
    /// Its first byte in the text.
    pub start: usize,
    pub part: Part,
}

pub(super) enum Part {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Type(Kind),
    Order,
    Steps,
    /// The variable of a loop, by depth from the outside.
    Local(usize, String),
    Unknown(String),
    /// `operand.field`, or `has(operand.field)`.
    Select {
        operand: Box<Node>,
        field: String,
        test: bool,
    },
    Index(Box<[Node; 2]>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    Conditional(Box<[Node; 3]>),
    Equals {
        sides: Box<[Node; 2]>,
        equal: bool,
    },
    Compare(Comparator, Box<[Node; 2]>),
    Calculate(Operator, Box<[Node; 2]>),
    In(Box<[Node; 2]>),
    List(Vec<Node>),
    Map(Vec<[Node; 2]>),
    Call(Box<Call>),
    Loop(Box<Loop>),
    /// The parser accepts it, but it has no meaning here.
    Meaningless,
}

/// A call of a function.
pub(super) struct Call {
    pub function: String,
    /// `target.function(…)`; the target is the first argument.
    pub is_method: bool,
    pub arguments: Vec<Node>,
}

/// A loop over a list, or over the keys of a map.
pub(super) struct Loop {
    pub range: Node,
    pub gives: Gives,
    /// The condition of `filter`, or of `map` with a condition.
    pub guard: Option<Node>,
    pub body: Node,
}

/// The result of a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    All,
    Exists,
    ExistsOne,
    List,
}

/// An operator that compares the order of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Comparator {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            operators::LESS => Comparator::Less,
            operators::LESS_EQUALS => Comparator::LessOrEqual,
            operators::GREATER => Comparator::Greater,
            operators::GREATER_EQUALS => Comparator::GreaterOrEqual,
            _ => return None,
        })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Comparator::Less => "<",
            Comparator::LessOrEqual => "<=",
            Comparator::Greater => ">",
            Comparator::GreaterOrEqual => ">=",
        }
    }
}

impl Operator {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            operators::ADD => Operator::Add,
            operators::SUBSTRACT => Operator::Subtract,
            operators::MULTIPLY => Operator::Multiply,
            operators::DIVIDE => Operator::Divide,
            operators::MODULO => Operator::Remainder,
            _ => return None,
        })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
        }
    }
}

/// Builds the tree of an expression. The lexical check has bounded its depth.
pub(super) fn build(tree: &IdedExpr, places: &SourceInfo) -> Node {
    Builder { places, bound: Vec::new() }.node(tree)
}

struct Builder<'t> {
    places: &'t SourceInfo,
    /// The variables of the surrounding loops, from the outside.
    bound: Vec<&'t str>,
}

impl<'t> Builder<'t> {
    fn node(&mut self, tree: &'t IdedExpr) -> Node {
        let start = self.places.offset_for(tree.id).map_or(0, |(start, _)| start as usize);
        Node { start, part: self.part(&tree.expr) }
    }

    fn boxed(&mut self, tree: &'t IdedExpr) -> Box<Node> {
        Box::new(self.node(tree))
    }

    fn part(&mut self, expr: &'t Expr) -> Part {
        match expr {
            Expr::Unspecified | Expr::Struct(_) => Part::Meaningless,
            Expr::Literal(literal) => constant(literal),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => {
                Part::Select { operand: self.boxed(&select.operand), field: select.field.clone(), test: select.test }
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => Part::List(list.elements.iter().map(|element| self.node(element)).collect()),
            Expr::Map(map) => {
                let entries = map.entries.iter().map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => Some([self.node(&entry.key), self.node(&entry.value)]),
                    EntryExpr::StructField(_) => None,
                });
                entries.collect::<Option<Vec<_>>>().map_or(Part::Meaningless, Part::Map)
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension).unwrap_or(Part::Meaningless),
        }
    }

    fn name(&self, name: &str) -> Part {
        if let Some(depth) = self.bound.iter().rposition(|bound| *bound == name) {
            return Part::Local(depth, name.to_owned());
        }
        match name {
            "order" => Part::Order,
            "steps" => Part::Steps,
            _ => Kind::named(name).map_or_else(|| Part::Unknown(name.to_owned()), Part::Type),
        }
    }

    fn call(&mut self, call: &'t CallExpr) -> Part {
        if call.target.is_none() {
            match call.args.as_slice() {
                [operand] => {
                    if let Some(part) = self.unary(&call.func_name, operand) {
                        return part;
                    }
                }
                [one, other] => {
                    if let Some(part) = self.binary(&call.func_name, one, other) {
                        return part;
                    }
                }
                [condition, yes, no] if call.func_name == operators::CONDITIONAL => {
                    let parts = [self.node(condition), self.node(yes), self.node(no)];
                    return Part::Conditional(Box::new(parts));
                }
                _ => {}
            }
        }
        let arguments = call.target.iter().map(AsRef::as_ref).chain(&call.args).map(|argument| self.node(argument));
        let arguments = arguments.collect();
        Part::Call(Box::new(Call { function: call.func_name.clone(), is_method: call.target.is_some(), arguments }))
    }

    fn unary(&mut self, name: &str, operand: &'t IdedExpr) -> Option<Part> {
        match name {
            operators::LOGICAL_NOT => Some(Part::Not(self.boxed(operand))),
            operators::NEGATE => Some(Part::Negate(self.boxed(operand))),
            _ => None,
        }
    }

    fn binary(&mut self, name: &str, one: &'t IdedExpr, other: &'t IdedExpr) -> Option<Part> {
        let is_known = matches!(
            name,
            operators::LOGICAL_AND
                | operators::LOGICAL_OR
                | operators::EQUALS
                | operators::NOT_EQUALS
                | operators::INDEX
                | operators::IN
        );
        if !is_known && Comparator::named(name).is_none() && Operator::named(name).is_none() {
            return None;
        }
        let sides = Box::new([self.node(one), self.node(other)]);
        if let Some(comparator) = Comparator::named(name) {
            return Some(Part::Compare(comparator, sides));
        }
        if let Some(operator) = Operator::named(name) {
            return Some(Part::Calculate(operator, sides));
        }
        Some(match name {
            operators::LOGICAL_AND => Part::And(sides),
            operators::LOGICAL_OR => Part::Or(sides),
            operators::EQUALS => Part::Equals { sides, equal: true },
            operators::NOT_EQUALS => Part::Equals { sides, equal: false },
            operators::INDEX => Part::Index(sides),
            _ => Part::In(sides),
        })
    }

    /// The loop behind a macro: the parser writes each macro as a fold with an accumulator.
    fn comprehension(&mut self, fold: &'t ComprehensionExpr) -> Option<Part> {
        if fold.iter_var2.is_some() {
            return None;
        }
        let (gives, guard, body) = folded(fold)?;
        let range = self.node(&fold.iter_range);
        self.bound.push(&fold.iter_var);
        let guard = guard.map(|guard| self.node(guard));
        let body = self.node(body);
        self.bound.pop();
        Some(Part::Loop(Box::new(Loop { range, gives, guard, body })))
    }
}

/// The result of a fold, its condition for items, and its body.
fn folded(fold: &ComprehensionExpr) -> Option<(Gives, Option<&IdedExpr>, &IdedExpr)> {
    let Expr::Call(step) = &fold.loop_step.expr else { return None };
    let is_accumulator = |tree: &IdedExpr| matches!(&tree.expr, Expr::Ident(name) if *name == fold.accu_var);
    match (step.func_name.as_str(), step.args.as_slice()) {
        (operators::LOGICAL_AND, [accumulator, body]) if is_accumulator(accumulator) => Some((Gives::All, None, body)),
        (operators::LOGICAL_OR, [accumulator, body]) if is_accumulator(accumulator) => {
            Some((Gives::Exists, None, body))
        }
        (operators::CONDITIONAL, [guard, added, otherwise]) if is_accumulator(otherwise) => match &added.expr {
            Expr::Call(add) if matches!(fold.accu_init.expr, Expr::Literal(_)) => {
                matches!(add.args.as_slice(), [accumulator, _] if is_accumulator(accumulator)).then_some((
                    Gives::ExistsOne,
                    None,
                    guard,
                ))
            }
            _ => appended(added, is_accumulator).map(|body| (Gives::List, Some(guard), body)),
        },
        _ => appended(&fold.loop_step, is_accumulator).map(|body| (Gives::List, None, body)),
    }
}

/// The one item that a step appends.
fn appended(step: &IdedExpr, is_accumulator: impl Fn(&IdedExpr) -> bool) -> Option<&IdedExpr> {
    let Expr::Call(add) = &step.expr else { return None };
    match add.args.as_slice() {
        [accumulator, list] if add.func_name == operators::ADD && is_accumulator(accumulator) => match &list.expr {
            Expr::List(list) => match list.elements.as_slice() {
                [item] => Some(item),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn constant(literal: &LiteralValue) -> Part {
    match literal {
        LiteralValue::Null => Part::Null,
        LiteralValue::Boolean(truth) => Part::Bool(*truth.inner()),
        LiteralValue::Int(int) => Part::Int(*int.inner()),
        LiteralValue::UInt(uint) => Part::UInt(*uint.inner()),
        LiteralValue::Double(double) => Part::Double(*double.inner()),
        LiteralValue::String(text) => Part::Text(text.inner().to_owned()),
        LiteralValue::Bytes(bytes) => Part::Bytes(bytes.inner().to_owned()),
    }
}

impl Node {
    /// The text of a name, a chain of fields, or a constant: what an author recognises.
    pub fn written(&self) -> Option<String> {
        Some(match &self.part {
            Part::Null => "null".to_owned(),
            Part::Bool(truth) => truth.to_string(),
            Part::Int(int) => int.to_string(),
            Part::UInt(uint) => format!("{uint}u"),
            Part::Double(double) => format!("{double:?}"),
            Part::Text(text) if text.chars().count() <= 30 => format!("'{}'", text.escape_default()),
            Part::Order => "order".to_owned(),
            Part::Steps => "steps".to_owned(),
            Part::Local(_, name) | Part::Unknown(name) => name.clone(),
            Part::Select { operand, field, .. } => format!("{}{}", operand.written()?, member(field)),
            Part::Index(sides) => match &sides[1].part {
                Part::Text(field) => format!("{}{}", sides[0].written()?, member(field)),
                _ => format!("{}[{}]", sides[0].written()?, sides[1].written()?),
            },
            Part::Call(call) if call.arguments.len() == 1 && !call.is_method => {
                format!("{}({})", call.function, call.arguments[0].written()?)
            }
            _ => return None,
        })
    }
}

/// How to select a field: with a dot if its name allows that.
pub(super) fn member(field: &str) -> String {
    let is_name = field.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && field.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_name { format!(".{field}") } else { format!("['{}']", field.escape_default()) }
}
