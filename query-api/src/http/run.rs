//! An operation of any kind, as the stream of its answers: one for a query, any number for a subscription.

use std::sync::Arc;

use async_graphql::{Request, Response as Answer, ServerError, Value};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};

use super::{Endpoint, operation};
use crate::error::StoreError;
use crate::store::Store;

impl Endpoint {
    /// The answers. An operation that is not well-formed has one, which is a request error.
    pub(super) fn answers(self: Arc<Self>, mut request: Request) -> BoxStream<'static, Answer> {
        if let Some(name) = operation::missing_variable(&mut request) {
            return refused(missing(&name));
        }
        if !operation::is_subscription(&mut request) {
            return async move { self.answer_in_time(request).await }.into_stream().boxed();
        }
        if !operation::has_one_field(&mut request) {
            return refused("a subscription has one field, and no fragment around it".to_owned());
        }
        self.schema.execute_stream(request)
    }

    async fn answer_in_time(&self, request: Request) -> Answer {
        match tokio::time::timeout(self.timeout, self.execute(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => request_error(error.to_string()),
            Err(_) => request_error(TOO_LONG.to_owned()),
        }
    }

    /// Waits for the views as the fields of a query ask for, and then answers from one snapshot of them.
    pub(super) async fn execute(&self, mut request: Request) -> Result<Answer, StoreError> {
        let wanted = operation::freshness(&mut request);
        if let Some(position) = wanted.iter().map(|freshness| freshness.position.0).max() {
            let most = wanted.iter().filter_map(|freshness| freshness.wait().ok()).max().unwrap_or_default();
            self.waiting.until(position, most).await?;
        }
        Ok(self.schema.execute(request.data(Store::new(self.pool.clone()))).await)
    }
}

/// What those are told whose query does not come to its end in time.
pub(super) const TOO_LONG: &str = "the query took too long";

/// What those are told who leave out a variable.
pub(super) fn missing(name: &str) -> String {
    format!("the variable ${name} must have a value")
}

/// Whether the request never came to execution: it does not parse, is not valid, or its variables do not fit.
pub(super) fn is_request_error(answer: &Answer) -> bool {
    answer.data == Value::Null && !answer.errors.is_empty() && answer.errors.iter().all(|error| error.path.is_empty())
}

fn request_error(message: String) -> Answer {
    Answer::from_errors(vec![ServerError::new(message, None)])
}

fn refused(message: String) -> BoxStream<'static, Answer> {
    stream::iter([request_error(message)]).boxed()
}
