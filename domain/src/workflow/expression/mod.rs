//! Expressions of a workflow file: CEL, compiled once, evaluated over `order` and `steps`.
//!
//! The crate `cel` parses. The evaluation is in this project (`tree`, `evaluate`), because a
//! library's has no budget for what it builds, treats JSON numbers as three types that do not mix,
//! and reports overloads where an author wrote `order.shipTo`.
//!
//! An expression is pure, and its result depends only on its scope: there are no clock functions,
//! maps are iterated in the order of their keys, and messages contain no values. So neither chance
//! nor personal data enter the log. Text, nesting, steps and bytes are bounded (`budget`): an
//! expression beyond them is an error, never a hang or a crash.

mod analysis;
mod budget;
mod error;
mod evaluate;
mod functions;
mod items;
mod kind;
mod lexical;
mod mistakes;
mod operators;
mod output;
mod personal;
mod position;
mod presence;
mod scope;
mod syntax;
mod tree;
mod types;
mod value;

pub use analysis::{Comparison, DataPath, Reference, Subject};
pub use error::{EvaluationError, ExpressionError};
pub use output::Evaluated;
pub use position::TextPosition;
pub(in crate::workflow) use presence::Present;
pub use scope::Scope;

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::Env;
use serde_json::Value;

use analysis::Analysis;
pub(crate) use budget::UNITS;
use evaluate::Evaluation;
use output::Failure;
use tree::Node;

/// CEL's standard library, without optional values and without time.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// A compiled CEL expression.
#[derive(Clone)]
pub struct Expression {
    source: Arc<str>,
    program: Arc<Program>,
}

/// The result of compilation.
struct Program {
    tree: Node,
    analysis: Analysis,
}

impl Expression {
    /// Compiles a text. It does not check the names of variables: see [`Expression::references`].
    pub fn compile(source: &str) -> Result<Self, ExpressionError> {
        lexical::check(source)?;
        let (parsed, places) =
            ENVIRONMENT.parser().parse_with_source_info(source).map_err(|errors| error::of_parser(source, errors))?;
        let analysis = analysis::analyse(&parsed, &places, source)?;
        let tree = tree::build(&parsed, &places);
        Ok(Self { source: source.into(), program: Arc::new(Program { tree, analysis }) })
    }

    /// The value of the expression.
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, EvaluationError> {
        self.evaluate_marked(scope).map(|evaluated| evaluated.value)
    }

    /// The value of the expression, with the places of placeholders for personal data.
    pub fn evaluate_marked(&self, scope: &Scope) -> Result<Evaluated, EvaluationError> {
        self.metered(scope, UNITS).0
    }

    /// The value, and how many units of this budget it used.
    pub(crate) fn metered(&self, scope: &Scope, units: u64) -> (Result<Evaluated, EvaluationError>, u64) {
        let evaluation = Evaluation::of(scope, units.min(UNITS));
        let value = evaluation.value(&self.program.tree).map_err(Failure::from);
        let written = value.and_then(|value| output::written(&value, &evaluation.budget));
        let result = written.map_err(|failure| match failure {
            Failure::Trouble(trouble) => EvaluationError::of(&trouble, &self.source),
            Failure::Output(error) => error,
        });
        (result, evaluation.budget.spent())
    }

    /// Whether the expression holds. Its value must be true or false.
    pub fn holds(&self, scope: &Scope) -> Result<bool, EvaluationError> {
        self.holds_metered(scope).0
    }

    /// Whether it holds, and how many units that used.
    pub(crate) fn holds_metered(&self, scope: &Scope) -> (Result<bool, EvaluationError>, u64) {
        let (evaluated, spent) = self.metered(scope, UNITS);
        let holds = evaluated.and_then(|evaluated| match evaluated.value {
            Value::Bool(holds) => Ok(holds),
            other => Err(EvaluationError::NotABool { found: output::type_name(&other) }),
        });
        (holds, spent)
    }

    /// The text of the expression.
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

    /// Comparisons of a step's outcome with a constant text.
    pub fn comparisons(&self) -> &[Comparison] {
        &self.program.analysis.comparisons
    }

    /// The paths that it reads within the data of steps' answers.
    pub fn data(&self) -> &[DataPath] {
        &self.program.analysis.data
    }

    /// Whether it loops or matches patterns, so that its cost depends on the order.
    pub fn may_take_long(&self) -> bool {
        self.program.analysis.may_take_long
    }

    /// The values of the order that are certainly not null where the expression holds.
    pub(in crate::workflow) fn implied(&self) -> Present {
        presence::implied(&self.program.tree, 0).holds
    }

    /// Mistakes for all orders or for some, with their places. `present`: the values that are
    /// certainly not null where it is evaluated.
    pub(in crate::workflow) fn mistakes(&self, present: &Present, is_condition: bool) -> Vec<(TextPosition, String)> {
        let found = mistakes::find(&self.program.tree, present, is_condition);
        found.into_iter().map(|found| (TextPosition::of_byte(&self.source, found.start), found.reason)).collect()
    }

    /// Whether its value depends on the content of personal data, not only on whether they exist.
    pub fn looks_into_personal_data(&self) -> bool {
        self.program.analysis.looks_into_personal_data
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

/// The names of the fields of `order`.
pub(in crate::workflow) fn order_fields() -> Vec<&'static str> {
    types::names(types::ORDER)
}

/// The names of the fields of a step.
pub(in crate::workflow) fn step_fields() -> Vec<&'static str> {
    types::names(types::STEP)
}

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod mistakes_tests;
#[cfg(test)]
mod tests;
