//! The secrets in the database. Several generations are accepted at once: a token stays valid until
//! it expires, although the secret was rotated.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::workflow::{Step, Workflow};
use rand::RngCore;
use signing::callback::{Accepted, CallbackSecret, CallbackSecrets, MIN_SECRET_BYTES, ShortSecret};
use sqlx::PgPool;
use views::callback_secrets::{self, CallbackSecretRow};

/// How long after the deadline of its request a token is valid, so that an answer that comes late
/// gets the reason.
pub(super) const LEEWAY: Duration = Duration::from_hours(30 * 24);
/// How old a generation is before it signs: every instance has noticed it by then.
const SETTLED_SECONDS: i64 = 20;

/// Why there is no secret for the tokens of callbacks.
#[derive(Debug, thiserror::Error)]
pub enum CallbackSecretsError {
    /// The database failed.
    #[error("the secrets of callbacks cannot be read: {0}")]
    Database(#[from] sqlx::Error),
    /// A row is not a secret.
    #[error("the table callback_secrets is not as it should be: {0}")]
    Short(#[from] ShortSecret),
    /// The table is empty.
    #[error("the table callback_secrets has no secret, although one was just added")]
    Missing,
}

impl CallbackSecretsError {
    /// Whether the database did not answer.
    pub(super) fn is_outage(&self) -> bool {
        matches!(self, Self::Database(error) if views::is_outage(error))
    }
}

/// The accepted secrets. If none exists, this makes the first one.
pub(super) async fn read(pool: &PgPool) -> Result<CallbackSecrets, CallbackSecretsError> {
    let mut rows = callback_secrets::accepted(pool).await?;
    if rows.is_empty() {
        callback_secrets::add_first(pool, &random()).await?;
        // Another instance may have been faster.
        rows = callback_secrets::accepted(pool).await?;
    }
    secrets_of(&rows)
}

/// Makes a new generation. Earlier ones are accepted for so long; by default, until the last of
/// their tokens has expired. Returns how long.
pub async fn rotate_callback_secrets(
    pool: &PgPool,
    accept_earlier_for: Option<Duration>,
) -> Result<Duration, CallbackSecretsError> {
    let accepted = match accept_earlier_for {
        Some(given) => given,
        None => longest_validity(&views::workflow_sources(pool).await?),
    };
    callback_secrets::rotate(pool, &random(), accepted).await?;
    Ok(accepted)
}

/// How long after its request the last token of these definitions is valid.
fn longest_validity(sources: &[String]) -> Duration {
    let of_workflow = |source: &String| match Workflow::parse(source) {
        Ok(workflow) => {
            let steps = workflow.steps.iter().chain(&workflow.compensated);
            let answered = |step: &Step| {
                let interim: Duration = step.interim.values().sum();
                step.exchange_timeout + interim + step.answer_timeout.max(step.undo_timeout.unwrap_or_default())
            };
            steps.map(answered).max().unwrap_or_default()
        }
        // A definition of another version of Tenuto: the longest times that a definition may have.
        Err(_) => 2 * domain::duration::MAX,
    };
    let settling = Duration::from_secs(SETTLED_SECONDS.unsigned_abs());
    sources.iter().map(of_workflow).max().unwrap_or_default() + LEEWAY + settling
}

/// The newest generation that every instance knows signs, or else the oldest one: after a start, or
/// after a rotation that ends earlier ones at once, that is the only one.
fn secrets_of(newest_first: &[CallbackSecretRow]) -> Result<CallbackSecrets, CallbackSecretsError> {
    let settled = newest_first.iter().position(|row| row.age_seconds >= SETTLED_SECONDS);
    let signing = settled.or_else(|| newest_first.len().checked_sub(1)).ok_or(CallbackSecretsError::Missing)?;
    let accepted = |row: &CallbackSecretRow| {
        let until = row.accepted_until.as_ref().map(DateTime::<Utc>::timestamp);
        CallbackSecret::of(&row.secret).map(|secret| Accepted { secret, until })
    };
    let mut others: Vec<Accepted> = newest_first.iter().map(accepted).collect::<Result<_, _>>()?;
    Ok(CallbackSecrets::new(others.swap_remove(signing).secret, others))
}

fn random() -> [u8; MIN_SECRET_BYTES] {
    let mut secret = [0; MIN_SECRET_BYTES];
    rand::rng().fill_bytes(&mut secret);
    secret
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use signing::callback::{CallbackScope, Rejected};

    use super::*;

    const SCOPE: CallbackScope<'static> = CallbackScope { order: "1", step: "a", direction: "do" };

    fn row(byte: u8, age_seconds: i64, accepted_for: Option<i64>) -> CallbackSecretRow {
        let accepted_until = accepted_for.map(|seconds| Utc::now() + TimeDelta::seconds(seconds));
        CallbackSecretRow { secret: vec![byte; MIN_SECRET_BYTES], age_seconds, accepted_until }
    }

    /// Which generation signs: the one alone whose token a check accepts.
    fn signing(rows: &[CallbackSecretRow]) -> Vec<u8> {
        let now = Utc::now().timestamp();
        let token = secrets_of(rows).unwrap().issue(SCOPE, now + 60);
        let accepts = |row: &&CallbackSecretRow| {
            let alone = CallbackSecrets::new(CallbackSecret::of(&row.secret).unwrap(), []);
            alone.check(&token, SCOPE, now).is_ok()
        };
        rows.iter().filter(accepts).map(|row| row.secret[0]).collect()
    }

    #[test]
    fn a_new_generation_is_accepted_at_once_and_signs_when_every_instance_knows_it() {
        assert_eq!(signing(&[row(1, 0, None)]), [1], "the first one");
        assert_eq!(signing(&[row(2, 5, None), row(1, 900, Some(60))]), [1]);
        assert_eq!(signing(&[row(2, 20, None), row(1, 900, Some(60))]), [2]);
        assert_eq!(signing(&[row(3, 1, None), row(2, 20, Some(9)), row(1, 900, Some(60))]), [2]);
        assert_eq!(signing(&[row(3, 1, None), row(2, 2, Some(9))]), [2], "none is settled");
        let now = Utc::now().timestamp();
        let newest = CallbackSecrets::new(CallbackSecret::of(&[2; 32]).unwrap(), []).issue(SCOPE, now + 60);
        let known = secrets_of(&[row(2, 0, None), row(1, 900, Some(60))]).unwrap();
        assert_eq!(known.check(&newest, SCOPE, now), Ok(()));
    }

    #[test]
    fn the_signing_generation_of_a_rotation_is_accepted_no_longer_than_it_may_be() {
        let now = Utc::now().timestamp();
        let known = secrets_of(&[row(2, 5, None), row(1, 900, Some(60))]).unwrap();
        let token = known.issue(SCOPE, now + 3_600);
        assert_eq!(known.check(&token, SCOPE, now), Ok(()));
        let settled = secrets_of(&[row(2, 30, None), row(1, 930, Some(30))]).unwrap();
        assert_eq!(settled.check(&token, SCOPE, now + 31), Err(Rejected::Forged));
    }

    #[test]
    fn without_a_row_there_is_no_secret() {
        assert!(matches!(secrets_of(&[]), Err(CallbackSecretsError::Missing)));
    }

    #[test]
    fn earlier_generations_are_accepted_until_their_last_token_has_expired() {
        let workflow = |step: &str| {
            format!("workflow: w\nversion: 1\nparticipants: {{ p: {{ url: 'http://p' }} }}\nsteps: {{ a: {step} }}")
        };
        let days = |text: &str| longest_validity(&[text.to_owned()]).as_secs() / 86_400;
        let leeway = LEEWAY.as_secs() / 86_400;
        assert_eq!(days(&workflow("{ request: p.a, timeout: 30d }")), leeway + 30);
        assert_eq!(days(&workflow("{ request: p.a, timeout: 3d, undo: p.b, undo-timeout: 60d }")), leeway + 60);
        let interim = "{ request: p.a, timeout: 3d, outcomes: [a, b, c], interim: { a: 5d, b: 6d } }";
        assert_eq!(days(&workflow(interim)), leeway + 14);
        assert_eq!(days("nothing that this version can read"), leeway + 2 * 366);
        assert_eq!(longest_validity(&[]).as_secs() / 86_400, leeway);
    }
}
