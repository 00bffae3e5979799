//! The prefix of orders' streams: the log names it, and every process takes it from there.

use std::time::Duration;

use domain::stream_prefix;
use domain::stream_prefix::{DEFAULT, InUse, InvalidPrefix, check, set};
use event_store::{AppendError, EventStore, IdentityError, LOG_STREAM, ReadError};

use crate::rights::{NoRight, may_append};

/// The pause before a log that does not answer is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Why this log's prefix cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrefixError {
    /// The log keeps another one.
    #[error(
        "--stream-prefix (TENUTO_STREAM_PREFIX) is {given:?}, and this log keeps orders in streams {kept:?}…, which does not change; \
         leave the option out, or give {kept:?}"
    )]
    Other {
        /// The option's.
        given: String,
        /// The log's.
        kept: String,
    },
    /// The log names a text that is no prefix.
    #[error("the stream {LOG_STREAM} names the stream prefix {prefix:?}: {source}")]
    Invalid {
        /// The text.
        prefix: String,
        /// What is wrong with it.
        source: InvalidPrefix,
    },
    /// This process has used another prefix before.
    #[error(transparent)]
    InUse(#[from] InUse),
    /// Orders' streams may not be appended to.
    #[error(transparent)]
    NoRight(#[from] NoRight),
    /// The log gave no answer.
    #[error(transparent)]
    Log(#[from] IdentityError),
}

impl PrefixError {
    fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Log(
                IdentityError::Read(ReadError::Unavailable(_)) | IdentityError::Append(AppendError::Unavailable(_))
            )
        )
    }
}

/// A prefix on the command line.
pub fn parse(text: &str) -> Result<String, InvalidPrefix> {
    check(text).map(|()| text.to_owned())
}

/// Takes the prefix from the log. A log that has not begun gets the given one. A log that names no
/// prefix has the default one. `false`: the log has not begun, and may still get any prefix.
pub async fn adopt(log: &EventStore, given: Option<&str>) -> Result<bool, PrefixError> {
    let settings = match given {
        Some(prefix) => Some(log.begin(Some(prefix)).await?),
        None => log.settings().await.map_err(IdentityError::from)?,
    };
    let Some(settings) = settings else { return Ok(false) };
    let kept = settings.stream_prefix.unwrap_or_else(|| DEFAULT.to_owned());
    if let Some(given) = given.filter(|given| *given != kept) {
        return Err(PrefixError::Other { given: given.to_owned(), kept });
    }
    check(&kept).map_err(|source| PrefixError::Invalid { prefix: kept.clone(), source })?;
    set(&kept)?;
    Ok(true)
}

/// The same, and waits for a log that does not answer.
pub async fn adopt_in_time(log: &EventStore, given: Option<&str>) -> Result<bool, PrefixError> {
    let mut is_told = false;
    loop {
        match adopt(log, given).await {
            Err(error) if error.is_passing() => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(%error, "the log does not answer yet; it is asked again each second");
                }
                tokio::time::sleep(PAUSE).await;
            }
            adopted => return adopted,
        }
    }
}

/// The same, and waits until the log has begun: the role that begins it gives it its prefix.
pub async fn adopt_begun(log: &EventStore, given: Option<&str>) -> Result<(), PrefixError> {
    while !adopt_in_time(log, given).await? {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Takes the prefix again, from a log that was found to be the right one. Another role may have
/// begun the log in the meantime, with another prefix: then the right to append is checked again.
pub async fn adopt_verified(log: &EventStore, given: Option<&str>) -> Result<(), PrefixError> {
    let before = stream_prefix::get();
    adopt_begun(log, given).await?;
    let adopted = stream_prefix::get();
    if adopted != before {
        may_append(log, &[adopted]).await?;
    }
    Ok(())
}
