//! Bounds the size of an answer. The size is counted while fields are resolved, because the length
//! of a text, or of a list of the schema, is not known before. At the bound no further field is
//! resolved, and the answer is an error.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextResolve, NextValidation, ResolveInfo,
};
use async_graphql::{QueryPathSegment, Response, ServerError, ServerResult, ValidationResult, Value};
use tokio_util::sync::CancellationToken;

use crate::admission::{Admission, Place};
use crate::code::ErrorCode;

/// A query above this complexity is costly.
const COSTLY: usize = 5_000;
/// The largest complexity of each answer of a subscription.
const MAX_SUBSCRIPTION_COMPLEXITY: usize = 10_000;
/// Quotes, a colon and a comma around an entry.
const PUNCTUATION: usize = 6;

/// The largest answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Its bytes as JSON, roughly.
    pub bytes: usize,
    /// Its entries: fields of objects.
    pub values: usize,
}

/// How the fields of a request are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// On a thread of the runtime, in pieces.
    Runtime,
    /// On a separate thread, at once: objects are finished one after another, and few are
    /// half-done.
    Thread,
    /// On a thread of the runtime, again and again.
    Subscription,
}

/// What one request may still use. It is in the data of the request.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    lane: Lane,
    bytes: AtomicUsize,
    values: AtomicUsize,
    exceeded: CancellationToken,
    place: Mutex<Option<Place>>,
}

impl Budget {
    /// A budget of which nothing is used.
    pub fn new(limits: Limits, lane: Lane, place: Option<Place>) -> Arc<Self> {
        let exceeded = CancellationToken::new();
        let (bytes, values) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { limits, lane, bytes, values, exceeded, place: Mutex::new(place) })
    }

    /// The size of the answer so far, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Waits until the answer is too large.
    pub async fn exceeded(&self) -> ServerError {
        self.exceeded.cancelled().await;
        let Limits { bytes, values } = self.limits;
        let message = format!(
            "the answer is larger than {} KiB or {values} values, which is the most that is allowed; \
             ask for fewer fields or rows",
            bytes / 1024
        );
        ErrorCode::AnswerLimit.of_request(&message)
    }

    /// Adds to the answer. Returns whether the answer is within the bounds.
    fn add(&self, bytes: usize, values: usize) -> bool {
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let values = self.values.fetch_add(values, Ordering::Relaxed) + values;
        let within = bytes <= self.limits.bytes && values <= self.limits.values;
        if !within {
            self.exceeded.cancel();
        }
        within
    }

    fn reset(&self) {
        self.bytes.store(0, Ordering::Relaxed);
        self.values.store(0, Ordering::Relaxed);
    }

    async fn admit(&self, admission: &Admission, complexity: usize) -> Result<(), ServerError> {
        if self.lane == Lane::Subscription {
            if complexity > MAX_SUBSCRIPTION_COMPLEXITY {
                let message = format!(
                    "the subscription's complexity is {complexity}; at most {MAX_SUBSCRIPTION_COMPLEXITY} is allowed"
                );
                return Err(ServerError::new(message, None));
            }
            return Ok(());
        }
        let has_place = self.place.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if complexity > COSTLY && !has_place {
            let place = admission.enter().await.map_err(ServerError::from)?;
            self.place.lock().unwrap_or_else(PoisonError::into_inner).replace(place);
        }
        Ok(())
    }
}

/// Counts the size of answers, and admits costly queries when their cost is known.
pub struct Weighing(pub Admission);

impl ExtensionFactory for Weighing {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self(self.0.clone()))
    }
}

#[async_trait::async_trait]
impl Extension for Weighing {
    async fn validation(
        &self,
        context: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(context).await?;
        if let Some(budget) = budget(context) {
            budget.admit(&self.0, result.complexity).await.map_err(|error| vec![error])?;
        }
        Ok(result)
    }

    /// Begins an answer: the only one of a query, any of a subscription.
    async fn execute(
        &self,
        context: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        if let Some(budget) = budget(context) {
            budget.reset();
        }
        next.run(context, operation_name).await
    }

    async fn resolve(
        &self,
        context: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let Some(budget) = budget(context) else { return next.run(context, info).await };
        if budget.lane != Lane::Thread {
            tokio::task::consume_budget().await;
        }
        if budget.exceeded.is_cancelled() {
            return std::future::pending().await;
        }
        let is_leaf = info.field.selection_set.node.items.is_empty();
        let is_item = matches!(info.path_node.segment, QueryPathSegment::Index(_));
        let value = next.run(context, info).await?;
        let (bytes, values) = match &value {
            // An item of a list of leaves is counted with its list, and an object field by field.
            Some(value) if is_leaf && !is_item => (bytes_of(value), 0),
            Some(Value::Object(fields)) if !is_leaf => {
                (fields.keys().map(|key| key.len() + PUNCTUATION).sum(), fields.len())
            }
            _ => (0, 0),
        };
        if !budget.add(bytes, values) {
            // The task that waits for the answer ends it.
            return std::future::pending().await;
        }
        Ok(value)
    }
}

fn budget<'a>(context: &ExtensionContext<'a>) -> Option<&'a Arc<Budget>> {
    context.data_opt::<Arc<Budget>>()
}

/// The size of a value as JSON, without recursion.
fn bytes_of(value: &Value) -> usize {
    let mut bytes = 0;
    let mut values = vec![value];
    while let Some(value) = values.pop() {
        bytes += PUNCTUATION;
        match value {
            Value::String(text) => bytes += text.bytes().map(written).sum::<usize>(),
            Value::Enum(name) => bytes += name.len(),
            Value::Binary(binary) => bytes += binary.len() * 4,
            Value::Number(_) => bytes += PUNCTUATION,
            Value::List(items) => values.extend(items),
            Value::Object(fields) => {
                bytes += fields.keys().map(|key| key.len() + PUNCTUATION).sum::<usize>();
                values.extend(fields.values());
            }
            Value::Null | Value::Boolean(_) => {}
        }
    }
    bytes
}

/// A byte of a text in JSON: control characters are written as `\u0000`, and some are escaped.
fn written(byte: u8) -> usize {
    match byte {
        b'\n' | b'\r' | b'\t' | b'"' | b'\\' => 2,
        0..=0x1F => 6,
        _ => 1,
    }
}

/// Whether an answer reports that this instance is overloaded.
pub fn is_overloaded(answer: &Response) -> bool {
    let code = Value::from(ErrorCode::Overloaded.as_str());
    answer.errors.iter().any(|error| {
        error.path.is_empty()
            && error.extensions.as_ref().is_some_and(|extensions| extensions.get("code") == Some(&code))
    })
}
