//! The `Streams` service: which function answers which call.

use event_store_protocol::streams::streams_server::Streams;
use event_store_protocol::streams::{
    AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, DeleteReq, DeleteResp, ReadReq, ReadResp,
};
use tonic::{Request, Response, Status, Streaming};

use super::answers::Answers;
use super::{append, batch_append, delete, read};
use crate::access::caller::Caller;
use crate::access::rights::Rights;
use crate::change::Change;
use crate::intake::Intake;
use crate::reader::Reader;
use crate::writer::Writer;

pub(crate) struct StreamsService {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    pub(crate) intake: Intake,
    pub(crate) max_append_size: usize,
}

impl StreamsService {
    fn rights<T>(&self, request: &Request<T>) -> Rights {
        Rights::new(Caller::of(request), self.reader.clone())
    }
}

#[tonic::async_trait]
impl Streams for StreamsService {
    type ReadStream = Answers<ReadResp>;
    type BatchAppendStream = Answers<BatchAppendResp>;

    async fn read(&self, request: Request<ReadReq>) -> Result<Response<Self::ReadStream>, Status> {
        let rights = self.rights(&request);
        read::read(&self.reader, &rights, request.into_inner()).await.map(Response::new)
    }

    async fn append(&self, request: Request<Streaming<AppendReq>>) -> Result<Response<AppendResp>, Status> {
        let rights = self.rights(&request);
        let (intake, max_size) = (&self.intake, self.max_append_size);
        append::append(&self.writer, intake, &rights, max_size, request.into_inner()).await.map(Response::new)
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        let rights = self.rights(&request);
        delete::delete(&self.writer, &rights, request.into_inner(), Change::Delete).await.map(Response::new)
    }

    async fn tombstone(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        let rights = self.rights(&request);
        delete::delete(&self.writer, &rights, request.into_inner(), Change::Tombstone).await.map(Response::new)
    }

    async fn batch_append(
        &self,
        request: Request<Streaming<BatchAppendReq>>,
    ) -> Result<Response<Self::BatchAppendStream>, Status> {
        let rights = self.rights(&request);
        let (writer, intake) = (self.writer.clone(), self.intake.clone());
        let answers = batch_append::answers(writer, intake, rights, self.max_append_size, request.into_inner());
        Ok(Response::new(answers))
    }
}
