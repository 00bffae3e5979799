//! Expressions of a workflow file: CEL, compiled once, evaluated over `order` and `steps`.
//!
//! An expression is pure and its result depends on nothing but its scope: the clock functions of CEL are left out, maps are gone
//! through in the order of their keys, and messages hold no values, so that neither chance nor personal data gets into the
//! log. Text, nesting and work are bounded: an expression that is refused or given up is an error, never a hang or a crash.

mod analysis;
mod error;
mod json;
mod lexical;
mod personal;
mod position;
mod ranges;
mod shortcut;

pub use analysis::{Comparison, DataPath, Reference, Subject};
pub use error::{EvaluationError, ExpressionError};
pub use position::TextPosition;

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, IdedExpr};
use serde_json::Value;

use analysis::Analysis;
use ranges::Budget;
use shortcut::Shortcut;

/// The standard library of CEL, without optional values and without time.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// A compiled CEL expression.
#[derive(Clone)]
pub struct Expression {
    source: Arc<str>,
    program: Arc<Program>,
}

/// What an expression was compiled to.
struct Program {
    tree: IdedExpr,
    analysis: Analysis,
    shortcut: Option<Shortcut>,
}

/// What an expression can see, as JSON.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The value of `order`.
    pub order: Value,
    /// The value of `steps`: an object by step id.
    pub steps: Value,
}

impl Expression {
    /// Compiles a text. Names of variables are not checked: see [`Expression::references`].
    pub fn compile(source: &str) -> Result<Self, ExpressionError> {
        lexical::check(source)?;
        let (mut tree, places) =
            ENVIRONMENT.parser().parse_with_source_info(source).map_err(|errors| error::of_parser(source, errors))?;
        let analysis = analysis::analyse(&tree, &places, source)?;
        let shortcut = Shortcut::of(&tree);
        ranges::bound(&mut tree);
        Ok(Self { source: source.into(), program: Arc::new(Program { tree, analysis, shortcut }) })
    }

    /// The value of the expression.
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, EvaluationError> {
        if let Some(value) = self.program.shortcut.as_ref().and_then(|shortcut| shortcut.value(scope)) {
            return Ok(value);
        }
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        ranges::provide(&mut context, Budget::full());
        if self.reads(|subject| matches!(subject, Subject::Order { .. })) {
            context.add_variable_from_value("order", json::to_cel(&scope.order)?);
        }
        if self.reads(|subject| matches!(subject, Subject::Step { .. } | Subject::AllSteps)) {
            context.add_variable_from_value("steps", self.visible_steps(&scope.steps)?);
        }
        let value = context.resolve(&self.program.tree).map_err(|error| EvaluationError::from_cel(&error))?;
        json::from_cel(&value)
    }

    /// Whether the expression holds: it has to be true or false.
    pub fn holds(&self, scope: &Scope) -> Result<bool, EvaluationError> {
        match self.evaluate(scope)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(EvaluationError::NotABool { found: json::type_name(&other) }),
        }
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The variables and steps that it reads, in the order of the text.
    pub fn references(&self) -> &[Reference] {
        &self.program.analysis.references
    }

    /// The ids of the steps that it reads.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.references().iter().filter_map(|reference| match &reference.subject {
            Subject::Step { id, .. } => Some(id.as_str()),
            Subject::Order { .. } | Subject::AllSteps | Subject::Unknown(_) => None,
        })
    }

    /// Where it compares the outcome of a step with a fixed text.
    pub fn comparisons(&self) -> &[Comparison] {
        &self.program.analysis.comparisons
    }

    /// What it reads within the data of steps' answers.
    pub fn data(&self) -> &[DataPath] {
        &self.program.analysis.data
    }

    /// Whether its value hangs on what personal data say, and not only on whether there are any.
    pub fn looks_into_personal_data(&self) -> bool {
        self.program.analysis.looks_into_personal_data
    }

    fn reads(&self, wanted: impl Fn(&Subject) -> bool) -> bool {
        self.references().iter().any(|reference| wanted(&reference.subject))
    }

    /// `steps` as the expression sees it: what it names, and all only where it asks for all. Conversion copies.
    fn visible_steps(&self, steps: &Value) -> Result<cel::Value, EvaluationError> {
        let Value::Object(all) = steps else { return json::to_cel(steps) };
        if self.reads(|subject| matches!(subject, Subject::AllSteps)) {
            return json::to_cel(steps);
        }
        json::to_cel_map(self.steps().filter_map(|id| all.get_key_value(id)))
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.source)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

#[cfg(test)]
mod tests;
