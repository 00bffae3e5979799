//! Random expressions from a grammar: nested loops, values used many times, orders of up to 500
//! lines.
//!
//! `TENUTO_EXPRESSIONS=1000000 cargo test --release -p domain fuzz` evaluates a million of them;
//! `TENUTO_SEED` sets another start.

use std::collections::HashMap;

use cel::objects::{Key as CelKey, Value as CelValue};
use cel::{Context, Program};
use serde_json::json;

use super::*;

/// A generator of random numbers, equal on every platform (Marsaglia, "Xorshift RNGs", 2003).
struct Dice(u64);

impl Dice {
    fn seeded(seed: u64) -> Self {
        // Neighbouring seeds must not give similar numbers.
        Self((seed.wrapping_add(1)).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one_of<'s>(&mut self, choices: &[&'s str]) -> &'s str {
        choices[self.below(choices.len())]
    }
}

/// Writes an expression. It uses names that loops bind as often as existing ones.
struct Author<'d> {
    dice: &'d mut Dice,
    bound: Vec<String>,
    /// Write only what the library can evaluate, too.
    plain: bool,
}

impl Author<'_> {
    fn any(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.atom();
        }
        match self.dice.below(10) {
            0 => self.atom(),
            1 => self.number(depth),
            2 => self.text(depth),
            3 => self.truth(depth),
            4 | 5 => self.list(depth),
            6 => format!("({} ? {} : {})", self.truth(depth - 1), self.any(depth - 1), self.any(depth - 1)),
            7 => format!("{{'a': {}, 'b': {}}}", self.any(depth - 1), self.any(depth - 1)),
            // The library appends the keys of a map in random order.
            8 if self.plain => self.list(depth),
            8 => format!("({} + {})", self.any(depth - 1), self.any(depth - 1)),
            _ => format!("{}[{}]", self.list(depth - 1), self.number(depth - 1)),
        }
    }

    fn atom(&mut self) -> String {
        if !self.bound.is_empty() && self.dice.below(2) == 0 {
            let place = self.dice.below(self.bound.len());
            let name = self.bound[place].clone();
            let field = self.dice.one_of(&["", "", ".sku", ".quantity", ".name", "[0]"]);
            return format!("{name}{field}");
        }
        let atoms = [
            "order.lines",
            "order.total",
            "order.attributes.half",
            "order.attributes.big",
            "order.shipTo.country",
            "order",
            "order.lines[0]",
            "steps.ship.data",
            "steps.ship.outcome",
            "null",
            "true",
            "1",
            "2.5",
            "3u",
            "-7",
            "'x'",
            "''",
            "9223372036854775807",
            "b'x'",
            "order.attributes.none",
            "[]",
            "{}",
            "int",
        ];
        self.dice.one_of(&atoms).to_owned()
    }

    fn number(&mut self, depth: usize) -> String {
        if depth == 0 {
            let atoms =
                ["0", "1", "2", "3u", "1.5", "order.lines[0].quantity", "order.attributes.big", "size(order.lines)"];
            return self.dice.one_of(&atoms).to_owned();
        }
        let inner = depth - 1;
        match self.dice.below(4) {
            0 => {
                let operator = self.dice.one_of(&["+", "-", "*", "/", "%"]);
                format!("({} {operator} {})", self.number(inner), self.number(inner))
            }
            1 => format!("size({})", self.any(inner)),
            2 => {
                let function = self.dice.one_of(&["int", "uint", "double"]);
                format!("{function}({})", self.any(inner))
            }
            _ => format!("-{}", self.number(inner)),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self
                .dice
                .one_of(&["'ö'", "order.total", "order.currency", "'a,b'", "order.lines[1].name"])
                .to_owned();
        }
        let inner = depth - 1;
        match self.dice.below(3) {
            0 => format!("({} + {})", self.text(inner), self.text(inner)),
            1 => format!("string({})", self.any(inner)),
            _ => format!("({} ? {} : {})", self.truth(inner), self.text(inner), self.text(inner)),
        }
    }

    fn truth(&mut self, depth: usize) -> String {
        if depth == 0 {
            let atoms =
                ["true", "false", "order.shipTo == null", "order.total == '440.00'", "has(steps.ship.data.tracking)"];
            return self.dice.one_of(&atoms).to_owned();
        }
        let inner = depth - 1;
        match self.dice.below(7) {
            0 => {
                let operator = self.dice.one_of(&["&&", "||"]);
                format!("({} {operator} {})", self.truth(inner), self.truth(inner))
            }
            1 => {
                let operator = self.dice.one_of(&["==", "!=", "<", "<=", ">", ">=", "in"]);
                format!("({} {operator} {})", self.any(inner), self.any(inner))
            }
            2 => format!("!{}", self.truth(inner)),
            3 => {
                let function = self.dice.one_of(&["contains", "startsWith", "endsWith"]);
                format!("{}.{function}({})", self.text(inner), self.text(inner))
            }
            4 => {
                let pattern = self.dice.one_of(&[
                    "^1",
                    "(a|b)*",
                    "[0-9]{2,9}",
                    "\\\\\\\\w+",
                    "(",
                    "N{30}",
                    "[or]*r[or]{200}2",
                    "(?i)\\\\PL\\\\PL",
                ]);
                format!("{}.matches('{pattern}')", self.text(inner))
            }
            5 => format!("(type({}) == {})", self.any(inner), self.dice.one_of(&["int", "string", "list", "map"])),
            _ => {
                let quantifier = self.dice.one_of(&["all", "exists", "exists_one"]);
                self.looped(inner, |author, name, range| {
                    format!("{range}.{quantifier}({name}, {})", author.truth(inner))
                })
            }
        }
    }

    fn list(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.dice.one_of(&["order.lines", "[1, 2, 3]", "['a', 'b']", "[]", "[order.lines]"]).to_owned();
        }
        let inner = depth - 1;
        match self.dice.below(7) {
            5 | 6 if !self.plain => self.copies(inner),
            0 => format!("[{}, {}]", self.any(inner), self.any(inner)),
            1 => format!("({} + {})", self.list(inner), self.list(inner)),
            2 => self.looped(inner, |author, name, range| format!("{range}.filter({name}, {})", author.truth(inner))),
            3 => self.looped(inner, |author, name, range| {
                format!("{range}.map({name}, {}, {})", author.truth(inner), author.any(inner))
            }),
            _ => self.looped(inner, |author, name, range| format!("{range}.map({name}, {})", author.any(inner))),
        }
    }

    /// A loop over all lines that builds a copy in each round.
    fn copies(&mut self, depth: usize) -> String {
        let name = ["x", "y", "z", "l"][self.bound.len() % 4].to_owned();
        self.bound.push(name.clone());
        let body = if depth == 0 { "order.lines + order.lines".to_owned() } else { self.list(depth - 1) };
        self.bound.pop();
        format!("order.lines.map({name}, {body} + order.lines)")
    }

    fn looped(&mut self, depth: usize, write: impl FnOnce(&mut Self, &str, &str) -> String) -> String {
        // The library iterates over the keys of a map in random order.
        let range = if self.plain || self.dice.below(4) > 0 { self.list(depth) } else { self.any(depth) };
        let name = ["x", "y", "z", "l"][self.bound.len() % 4].to_owned();
        self.bound.push(name.clone());
        let written = write(self, &name, &range);
        self.bound.pop();
        written
    }
}

fn scope(lines: usize) -> Scope {
    let line = json!({"sku": "11", "name": "Northwind Chai", "quantity": 12, "unitPrice": "14.00"});
    Scope {
        order: json!({"id": "10248", "total": "440.00", "currency": "EUR", "lines": vec![line; lines],
            "attributes": {"half": 0.5, "big": u64::MAX}, "shipTo": null}),
        steps: json!({"ship": {"outcome": "shipped", "data": {"tracking": "T1"}, "status": "COMPLETED"}}),
        placeholders: false,
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// The limit of CPU time for an evaluation, in nanoseconds. A debug build takes about ten times as
/// long as a release build.
const MAX_TIME: u64 = 3_000_000_000;
/// The limit of memory for all evaluations together, in KiB.
const MAX_MEMORY: u64 = 512 * 1024;

/// The CPU time of this thread, in nanoseconds; 0 if the system does not report it.
fn time_on_cpu() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0)
}

/// The peak memory of this process, in KiB; 0 if the system does not report it.
fn peak_memory() -> u64 {
    let told = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Runs on a stack smaller than any that decides orders.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn fuzz_any_expression_stays_within_its_budget_and_is_deterministic() {
    on_a_small_stack(|| {
        let (seed, rounds) = (setting("TENUTO_SEED", 0), setting("TENUTO_EXPRESSIONS", 3_000));
        let scopes: Vec<Scope> = [2, 2, 2, 30, 500].into_iter().map(scope).collect();
        let (mut values, mut faults, mut given_up, mut refused) = (0, 0, 0, 0);
        let (mut most, mut longest) = (0, 0);
        let memory = peak_memory();
        for round in seed..seed + rounds {
            let mut dice = Dice::seeded(round);
            let depth = 1 + dice.below(6);
            let source = Author { dice: &mut dice, bound: Vec::new(), plain: false }.any(depth);
            let Ok(expression) = Expression::compile(&source) else {
                refused += 1;
                continue;
            };
            let scope = &scopes[dice.below(scopes.len())];
            let began = time_on_cpu();
            let (result, spent) = expression.metered(scope, UNITS);
            let took = time_on_cpu() - began;
            assert!(took < MAX_TIME, "round {round} took {took} ns: {source}");
            longest = longest.max(took);
            assert_eq!(expression.metered(scope, UNITS), (result.clone(), spent), "round {round}: {source}");
            assert!(spent <= budget::UNITS, "round {round} spent {spent}: {source}");
            most = most.max(spent);
            match result {
                Ok(evaluated) => {
                    values += 1;
                    let size = evaluated.value.to_string().len();
                    assert!(size <= output::MAX_BYTES, "round {round} gives {size} bytes: {source}");
                }
                Err(EvaluationError::TooMuchWork | EvaluationError::TooLarge) => given_up += 1,
                Err(_) => faults += 1,
            }
        }
        println!("{values} values, {faults} faults, {given_up} given up, {refused} refused; at most {most} units");
        let grown = peak_memory() - memory;
        println!("at most {} ms an expression; {grown} KiB more memory at the peak", longest / 1_000_000);
        assert!(grown < MAX_MEMORY, "{grown} KiB");
        assert!(values > rounds / 20 && faults > 0 && given_up > 0, "the grammar writes nothing to the point");
    });
}

#[test]
fn fuzz_evaluation_equals_that_of_the_library() {
    on_a_small_stack(|| {
        let (seed, rounds) = (setting("TENUTO_SEED", 0), setting("TENUTO_EXPRESSIONS", 3_000).min(100_000));
        let scope = scope(2);
        let mut compared = 0;
        for round in seed..seed + rounds {
            let mut dice = Dice::seeded(round ^ 0x5555);
            let depth = 1 + dice.below(4);
            let source = Author { dice: &mut dice, bound: Vec::new(), plain: true }.any(depth);
            let (Ok(expression), Ok(program)) = (Expression::compile(&source), Program::compile(&source)) else {
                continue;
            };
            let mut context = Context::default();
            context.add_variable_from_value("order", to_cel(&scope.order));
            context.add_variable_from_value("steps", to_cel(&scope.steps));
            let Some(theirs) = program.execute(&context).ok().and_then(|value| from_cel(&value)) else { continue };
            compared += 1;
            match expression.evaluate(&scope) {
                Ok(ours) => assert_eq!(ours, theirs, "round {round}: {source}"),
                Err(error) => {
                    let by_design = matches!(error, EvaluationError::TooMuchWork | EvaluationError::TooLarge);
                    assert!(by_design, "round {round}: {source}: {error}, and not {theirs}");
                }
            }
        }
        assert!(compared > rounds / 20, "only {compared} of {rounds} were compared");
    });
}

fn to_cel(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(truth) => CelValue::Bool(*truth),
        Value::String(text) => CelValue::from(text.as_str()),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => CelValue::Int(int),
            (None, Some(uint)) => CelValue::UInt(uint),
            _ => CelValue::Float(number.as_f64().unwrap()),
        },
        Value::Array(items) => CelValue::List(items.iter().map(to_cel).collect::<Vec<_>>().into()),
        Value::Object(fields) => {
            let entries = fields.iter().map(|(name, value)| (CelKey::from(name.clone()), to_cel(value)));
            CelValue::from(entries.collect::<HashMap<CelKey, CelValue>>())
        }
    }
}

/// `None`: JSON has no such value.
fn from_cel(value: &CelValue) -> Option<Value> {
    Some(match value {
        CelValue::Null => Value::Null,
        CelValue::Bool(truth) => Value::Bool(*truth),
        CelValue::Int(int) => Value::from(*int),
        CelValue::UInt(uint) => Value::from(*uint),
        CelValue::Float(double) => Value::Number(serde_json::Number::from_f64(*double)?),
        CelValue::String(text) => Value::String(text.as_ref().clone()),
        CelValue::List(items) => Value::Array(items.iter().map(from_cel).collect::<Option<_>>()?),
        CelValue::Map(map) => {
            let entries = map.map.iter().map(|(key, value)| match key {
                CelKey::String(name) => Some((name.as_ref().clone(), from_cel(value)?)),
                _ => None,
            });
            Value::Object(entries.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}
