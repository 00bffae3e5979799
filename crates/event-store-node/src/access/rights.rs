//! The rights of a caller on streams.

use event_store_protocol::metadata::metadata_stream_of;
use tonic::Status;

use super::acl::{Action, roles_by_default, roles_of_metadata, roles_of_settings};
use super::caller::Caller;
use crate::reader::{ReadFailure, Reader};
use crate::service::refusal;

/// The stream of the server's settings.
const SETTINGS: &str = "$settings";

/// A caller, and the log in which the lists are.
#[derive(Clone)]
pub(crate) struct Rights {
    caller: Caller,
    reader: Reader,
}

impl Rights {
    pub(crate) fn new(caller: Caller, reader: Reader) -> Self {
        Self { caller, reader }
    }

    /// Refuses what the caller may not do with a stream.
    pub(crate) async fn to(&self, action: Action, stream: &str) -> Result<(), Status> {
        if self.caller.is_admin() {
            return Ok(());
        }
        let Some((action, stream)) = action.on(stream).filter(|_| self.caller.is_user()) else {
            return Err(refusal::access_denied());
        };
        let roles = self.roles(action, stream).await.map_err(refusal::unreadable)?;
        if self.caller.is_one_of(&roles) { Ok(()) } else { Err(refusal::access_denied()) }
    }

    async fn roles(&self, action: Action, stream: &str) -> Result<Vec<String>, ReadFailure> {
        let metadata = self.reader.last_of(&metadata_stream_of(stream)).await?;
        if let Some(roles) = metadata.and_then(|event| roles_of_metadata(&event.record.data, action)) {
            return Ok(roles);
        }
        let settings = self.reader.last_of(SETTINGS).await?;
        let roles = settings.and_then(|event| roles_of_settings(&event.record.data, stream, action));
        Ok(roles.unwrap_or_else(|| roles_by_default(stream)))
    }
}
