//! An operation of any kind, as the stream of its answers: one for a query, any number for a
//! subscription.
//!
//! Cheap operations run on the threads of the runtime, in pieces. A large document, or one that
//! asks for the schema, is read, checked and executed on a separate thread, and few of those run at
//! once.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response as Answer, ServerError, Value};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use views::{Store, ViewsError};

use super::asker::Asker;
use super::endpoint::Endpoint;
use super::operation;
use crate::admission::{Overloaded, Place};
use crate::budget::{Budget, Lane, Limits};
use crate::code::ErrorCode;
use crate::document::{Document, tokens};
use crate::figures::label;
use crate::permission;
use crate::schema::Schema;

/// A document of more tokens is parsed on a separate thread.
const LIGHT_TOKENS: usize = 1_000;
/// A larger document is checked and executed on a separate thread.
const LIGHT_WEIGHT: usize = 1_000;
/// The largest document of a subscription.
const MAX_SUBSCRIPTION_WEIGHT: usize = 2_000;
/// The largest answer of a subscription, in bytes.
const MAX_EVENT_BYTES: usize = 2 * 1024 * 1024;
/// A larger answer is written as JSON on a separate thread, and takes a share of the memory for
/// answers.
const LARGE_BYTES: usize = 64 * 1024;
/// The most errors of an answer, and the longest message of one, in bytes.
const MAX_ERRORS: usize = 100;
const MAX_MESSAGE_BYTES: usize = 2_000;

/// A request whose document is read, with its place if it is costly.
pub(super) struct Operation {
    pub document: Document,
    place: Option<Place>,
}

/// An answer, and its share of the memory for answers, which it keeps until it is sent.
pub(super) struct Answered {
    pub answer: Answer,
    pub is_large: bool,
    pub share: Option<OwnedSemaphorePermit>,
}

impl Answered {
    /// The answer to a request that was not executed.
    pub fn refusal(error: ServerError) -> Self {
        let mut answer = Answer::from_errors(vec![error]);
        bound_errors(&mut answer);
        Self { answer, is_large: false, share: None }
    }
}

impl Endpoint {
    /// Reads the document of a request, if the caller may ask for what is in it.
    pub(super) async fn read(&self, request: Request, asker: &Asker) -> Result<Operation, ServerError> {
        self.read_document(request, asker).await.inspect_err(|_| self.stats.queries().refused())
    }

    async fn read_document(&self, request: Request, asker: &Asker) -> Result<Operation, ServerError> {
        let (document, place) = if tokens(&request.query) <= LIGHT_TOKENS {
            (Document::read(request).map_err(|error| *error)?, None)
        } else {
            let place = self.admission.enter().await?;
            let document = spawn_blocking(move || Document::read(request)).await.map_err(|_| internal())?;
            (document.map_err(|error| *error)?, Some(place))
        };
        let Document { request, kind, weight } = document;
        let request = permission::admitted(request, kind, asker.caller.clone(), &asker.counts)?;
        Ok(Operation { document: Document { request, kind, weight }, place })
    }

    /// The answers. An operation that is not well-formed has one, which is a request error.
    pub(super) fn answers(self: Arc<Self>, request: Request, asker: Asker) -> BoxStream<'static, Answered> {
        let answers = async move {
            match self.read(request, &asker).await {
                Ok(operation) => self.answers_to(operation),
                Err(error) => only(Answered::refusal(error)),
            }
        };
        answers.into_stream().flatten().boxed()
    }

    pub(super) fn answers_to(self: Arc<Self>, mut operation: Operation) -> BoxStream<'static, Answered> {
        if operation.document.kind != Some(OperationType::Subscription) {
            return async move { self.answer(operation).await }.into_stream().boxed();
        }
        let Document { request, weight, .. } = &mut operation.document;
        if let Some(name) = operation::missing_variable(request) {
            return refused(missing(&name));
        }
        if !operation::has_one_field(request) {
            return refused("a subscription has one field, and no fragment around it".to_owned());
        }
        if weight.total > MAX_SUBSCRIPTION_WEIGHT {
            return refused(format!(
                "the subscription's document comes to {} selections, arguments, directives and values; at most \
                 {MAX_SUBSCRIPTION_WEIGHT} are allowed",
                weight.total
            ));
        }
        self.stats.queries().subscribed(label(&operation::root_fields(request)));
        let limits = Limits { bytes: self.limits.bytes.min(MAX_EVENT_BYTES), ..self.limits };
        let budget = Budget::new(limits, Lane::Subscription, None);
        let request = operation.document.request.data(budget.clone());
        let weighed = budget.clone();
        let too_large = async move { budget.exceeded().await }.shared();
        let answers = self.schema.execute_stream(request).take_until(too_large.clone());
        let answers = answers.map(move |answer| self.answered(answer, weighed.bytes()));
        // The error follows only if it ended the answers, and not if the subscription itself ended.
        let end = stream::iter([too_large]).filter_map(async |too_large| too_large.now_or_never());
        answers.chain(end.map(Answered::refusal)).boxed()
    }

    /// The answer to a query.
    pub(super) async fn answer(&self, mut operation: Operation) -> Answered {
        let (begun, field) = (Instant::now(), label(&operation::root_fields(&mut operation.document.request)));
        let answered = self.answer_in_time(operation).await;
        self.stats.queries().answered(field, answered.answer.is_ok(), begun.elapsed());
        answered
    }

    async fn answer_in_time(&self, mut operation: Operation) -> Answered {
        if let Some(name) = operation::missing_variable(&mut operation.document.request) {
            return Answered::refusal(ServerError::new(missing(&name), None));
        }
        match timeout(self.timeout, self.execute(operation)).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(error)) => Answered::refusal(error),
            Err(_) => Answered::refusal(later(TOO_LONG)),
        }
    }

    /// Waits for the views as the fields of a query require, and then answers from one snapshot.
    async fn execute(&self, operation: Operation) -> Result<Answered, ServerError> {
        let Operation { document: Document { mut request, weight, .. }, mut place } = operation;
        let _query = self.queries.try_acquire().map_err(|_| Overloaded)?;
        let is_heavy = place.is_some() || weight.introspects || weight.total > LIGHT_WEIGHT;
        let wanted = operation::freshness(&mut request);
        if let Some(position) = wanted.iter().map(|freshness| freshness.position.0).max() {
            let most = wanted.iter().filter_map(|freshness| freshness.wait().ok()).max().unwrap_or_default();
            self.waiting.until(position, most).await.map_err(|error| later(&error.to_string()))?;
        }
        if is_heavy && place.is_none() {
            place = Some(self.admission.enter().await?);
        }
        let budget = Budget::new(self.limits, if is_heavy { Lane::Thread } else { Lane::Runtime }, place);
        let request = request.data(Store::new(self.pool.clone())).data(budget.clone());
        let run = run(self.schema.clone(), request, budget.clone());
        let answer = if is_heavy {
            let in_time = timeout(self.timeout, run);
            let runtime = Handle::current();
            let answer = spawn_blocking(move || runtime.block_on(in_time)).await.map_err(|_| internal())?;
            answer.map_err(|_| later(TOO_LONG))?
        } else {
            run.await
        };
        Ok(self.answered(answer, budget.bytes()))
    }

    /// An answer with its share of the memory, if that much is free.
    fn answered(&self, mut answer: Answer, bytes: usize) -> Answered {
        bound_errors(&mut answer);
        if bytes <= LARGE_BYTES {
            return Answered { answer, is_large: false, share: None };
        }
        let kibibytes = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
        match self.answers_memory.clone().try_acquire_many_owned(kibibytes) {
            Ok(share) => Answered { answer, is_large: true, share: Some(share) },
            Err(_) => Answered::refusal(Overloaded.into()),
        }
    }
}

async fn run(schema: Schema, request: Request, budget: Arc<Budget>) -> Answer {
    tokio::select! {
        biased;
        answer = schema.execute(request) => answer,
        error = budget.exceeded() => Answer::from_errors(vec![error]),
    }
}

/// The error of a query that does not end in time.
const TOO_LONG: &str = "the query took too long";

/// The error of a request without a variable that it needs.
fn missing(name: &str) -> String {
    format!("the variable ${name} must have a value")
}

/// Whether the request was not executed: it does not parse, is not valid, or its variables are
/// wrong.
pub(super) fn is_request_error(answer: &Answer) -> bool {
    answer.data == Value::Null && !answer.errors.is_empty() && answer.errors.iter().all(|error| error.path.is_empty())
}

/// The same request may be answered later.
fn later(message: &str) -> ServerError {
    ErrorCode::Overloaded.of_request(&message)
}

fn internal() -> ServerError {
    ErrorCode::Internal.of_request(&ViewsError::Internal)
}

/// One answer.
pub(super) fn only(answered: Answered) -> BoxStream<'static, Answered> {
    stream::once(async { answered }).boxed()
}

fn refused(message: String) -> BoxStream<'static, Answered> {
    only(Answered::refusal(ServerError::new(message, None)))
}

/// An invalid document can have an error at each of its words, and a syntax error shows its line.
fn bound_errors(answer: &mut Answer) {
    let others = answer.errors.len().saturating_sub(MAX_ERRORS);
    if others > 0 {
        answer.errors.truncate(MAX_ERRORS);
        answer.errors.push(ServerError::new(format!("{others} more errors are not listed"), None));
    }
    for error in &mut answer.errors {
        if error.message.len() > MAX_MESSAGE_BYTES {
            let end =
                (0..=MAX_MESSAGE_BYTES).rev().find(|end| error.message.is_char_boundary(*end)).unwrap_or_default();
            error.message.truncate(end);
            error.message.push_str(" …");
        }
    }
}
