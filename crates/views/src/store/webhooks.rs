//! Webhooks, and the notifications of them that were given up.

use domain::webhook::WebhookId;

use super::Store;
use crate::error::ViewsError;
use crate::webhooks::{self, DeadLetter, KnownWebhook, Letters};

impl Store {
    /// All webhooks, the oldest first.
    pub async fn webhooks(&self) -> Result<Vec<KnownWebhook>, ViewsError> {
        Ok(webhooks::all(&mut *self.snapshot().await?).await?)
    }

    /// The first dead letters of a webhook.
    pub async fn dead_letters(
        &self,
        webhook: WebhookId,
        which: &Letters,
        most: usize,
    ) -> Result<Vec<DeadLetter>, ViewsError> {
        Ok(webhooks::dead_letters(&mut *self.snapshot().await?, webhook, which, most).await?)
    }
}
