//! Deleting a stream, for good or so that it may be written again.

use event_store_protocol::shared::Empty;
use event_store_protocol::streams::delete_resp::PositionOption;
use event_store_protocol::streams::{DeleteReq, DeleteResp};
use tonic::Status;

use super::{append, convert, refusal};
use crate::access::acl::Action;
use crate::access::rights::Rights;
use crate::change::{Change, Intent, Refusal};
use crate::writer::Writer;

pub(super) async fn delete(
    writer: &Writer,
    rights: &Rights,
    request: DeleteReq,
    change: Change,
) -> Result<DeleteResp, Status> {
    let (stream, expected) = append::target(request.options.ok_or_else(|| refusal::missing("Options"))?)?;
    rights.to(Action::Delete, &stream).await?;
    let intent = Intent { stream: stream.clone(), expected, change };
    let written = writer.change(intent).await.map_err(refusal::failed)?.map_err(|refused| match refused {
        Refusal::WrongExpectedRevision { current } => refusal::wrong_expected_version(&stream, expected, current),
        Refusal::StreamDeleted => refusal::stream_deleted(&stream),
    })?;
    let position = match written.position {
        Some(position) => PositionOption::Position(convert::position(position)),
        None => PositionOption::NoPosition(Empty {}),
    };
    Ok(DeleteResp { position_option: Some(position) })
}
